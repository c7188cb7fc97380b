// Reading text without a language model: sentences, words, and what it is about.

export function sentencesOf(text: string): string[] {
  return text.split(/(?<=[.!?…])\s+|\n+/u).map((sentence) => sentence.trim()).filter(Boolean);
}

export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/\p{L}[\p{L}\p{N}'’-]*/gu) ?? [];
}

/** Words so common that they tell the language, and nothing about the topic. */
const COMMON: Record<string, string[]> = {
  en:
    "the a an and or of to in is are was were be been that this it for on with as at by from not you i we they he she have has had do does but my your our their will would can about"
      .split(" "),
  de:
    "der die das ein eine einer und oder von zu in ist sind war nicht mit auf für als an im den dem des ich du wir sie er es auch sich dass wie bei nach aus"
      .split(" "),
  fr:
    "le la les un une et ou de du des à dans est sont était ne pas que qui pour sur avec ce cette je tu nous vous ils elle il en au aux par plus"
      .split(" "),
  es:
    "el la los las un una y o de del a en es son era no que por para con se su sus lo como más pero al yo tú nosotros ellos ella él este esta"
      .split(" "),
};
const COMMON_IN_ANY = new Set(Object.values(COMMON).flat());

/** The language whose common words occur most, or null when hardly any do. */
export function languageOf(words: string[]): string | null {
  const shares = Object.entries(COMMON).map(([language, common]) => {
    const known = new Set(common);
    return { language, hits: words.filter((word) => known.has(word)).length };
  }).sort((a, b) => b.hits - a.hits);
  return shares[0].hits >= Math.max(1, words.length / 10) ? shares[0].language : null;
}

/** The words that occur most and mean something; of equals the one that comes first. */
export function keywordsOf(words: string[], most: number): string[] {
  const counts = new Map<string, number>();
  for (const word of words) {
    if (word.length > 3 && !COMMON_IN_ANY.has(word)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, most).map(([word]) => word);
}

export function shorten(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).toWellFormed().trimEnd()}…`;
}
