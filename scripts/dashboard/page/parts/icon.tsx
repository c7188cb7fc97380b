/** Lines of a picture of 16 by 16, as many as it takes to know it again. */
const LINES = {
  overview: ["M2 13.5h12", "M3.5 11V8", "M8 11V3", "M12.5 11V6"],
  backlog: ["M2.5 3.5h11", "M2.5 7h11", "M2.5 10.5h7", "M2.5 14h4"],
  tasks: ["M2.5 4l1.2 1.2L6 3", "M8.5 4h5", "M2.5 11l1.2 1.2L6 10", "M8.5 11h5"],
  workers: ["M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z", "M3 14c.4-3 2.4-4 5-4s4.6 1 5 4"],
  claims: ["M3.5 14V2", "M3.5 3h9l-2.2 3 2.2 3h-9"],
  gates: ["M2.5 14V4.5", "M13.5 14V4.5", "M2.5 6.5h11", "M2.5 10h11"],
  schedules: ["M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12z", "M8 5v3.2l2.2 1.6"],
  effects: ["M9 2L3.5 9H8l-1 5 5.5-7H8z"],
  dispatches: ["M14 2.2L7 9", "M14 2.2l-4.3 11.6L7 9 2.2 6.3z"],
  doctor: ["M1.5 8.5h3l1.5-5 3 9 2-6 .9 2h2.6"],
};

export type IconName = keyof typeof LINES;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      {LINES[name].map((line) => <path d={line} key={line} />)}
    </svg>
  );
}
