import { defineThoughtWork } from "../_shared/handler.ts";
import { keywordsOf, languageOf, sentencesOf, shorten, wordsOf } from "./text.ts";

const LONGEST_SUMMARY = 200;

/** Reads a thought and notes what it is about in its metadata. */
export const enrichment = defineThoughtWork({
  workType: "enrichment",
  run: ({ content }) => Promise.resolve({ metadata: { enrichment: describe(content) } }),
});

function describe(content: string) {
  const words = wordsOf(content);
  return {
    word_count: words.length,
    language: languageOf(words),
    keywords: keywordsOf(words, 5),
    summary: shorten(sentencesOf(content)[0] ?? "", LONGEST_SUMMARY),
  };
}
