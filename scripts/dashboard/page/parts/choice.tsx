import { useEffect, useRef } from "preact/hooks";

/** One of a few, each an address of its own. */
export function Choice({ label, options }: {
  label: string;
  options: { name: string; link: string; isChosen: boolean }[];
}) {
  const place = useRef<HTMLDivElement>(null);
  const chosen = options.findIndex(({ isChosen }) => isChosen);
  useEffect(() => {
    const link = place.current!.children[chosen] as HTMLElement | undefined;
    // Only sideways, and without moving the page.
    if (link) place.current!.scrollLeft = link.offsetLeft - place.current!.offsetLeft - 80;
  }, [chosen]);
  return (
    <div class="choice" role="group" aria-label={label} ref={place}>
      {options.map(({ name, link, isChosen }) => (
        <a key={name} href={link} aria-current={isChosen ? "true" : undefined}>{name}</a>
      ))}
    </div>
  );
}
