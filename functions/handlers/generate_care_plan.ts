import { z } from "zod";
import { defineTask } from "../_shared/handler.ts";
import { sendEmail } from "../_shared/mail.ts";
import { keywordsOf, sentencesOf, shorten, wordsOf } from "./text.ts";

const Payload = z.strictObject({
  email: z.email(),
  transcript: z.string().min(1).max(200_000),
  session_id: z.string().min(1).max(200),
  blueprint_id: z.string().min(1).max(200),
  host_url: z.url({ protocol: /^https?$/ }),
});
type Payload = z.output<typeof Payload>;

/** Writes a care plan from the transcript of a session, and sends one email that says where it is. */
export const generateCarePlan = defineTask({
  type: "generate_care_plan",
  payload: Payload,
  timeoutSeconds: 60,
  async run(payload, { once, progress, signal }) {
    const plan = composePlan(payload);
    progress({ step: "composed" });
    const sent = await once(
      "email",
      ({ idempotencyKey }) => sendEmail(emailOf(payload, plan), { idempotencyKey, signal }),
      { mode: "provider_key" },
    );
    return { ...plan, email: sent };
  },
});

/** What people say, and what a plan answers to it. */
const AREAS = [
  {
    area: "sleep",
    says: /\b(sleep|insomnia|tired|awake|rest)/i,
    action: "Keep a sleep diary for two weeks.",
  },
  {
    area: "pain",
    says: /\b(pain|ache|hurt|sore)/i,
    action: "Rate the pain each evening from 0 to 10.",
  },
  {
    area: "mood",
    says: /\b(anxi|worr|sad|stress|mood|overwhelm)/i,
    action: "Plan one pleasant activity a day.",
  },
  {
    area: "medication",
    says: /\b(medic|pill|dose|tablet|prescri)/i,
    action: "Review the medication list together.",
  },
  {
    area: "movement",
    says: /\b(walk|exercise|move|run|activ)/i,
    action: "Walk for twenty minutes on five days a week.",
  },
  {
    area: "food",
    says: /\b(eat|food|meal|appetite|weight|diet)/i,
    action: "Note meals and appetite for a week.",
  },
];
const MOST_QUOTES = 3;

function composePlan({ transcript, session_id, blueprint_id }: Payload) {
  const sentences = sentencesOf(transcript);
  const concerns = AREAS.map(({ area, says, action }) => ({
    area,
    action,
    said: sentences.filter((sentence) => says.test(sentence)).slice(0, MOST_QUOTES).map((s) =>
      shorten(s, 200)
    ),
  })).filter(({ said }) => said.length > 0);
  return {
    session_id,
    blueprint_id,
    topics: keywordsOf(wordsOf(transcript), 5),
    concerns,
    next_step: concerns.length > 0
      ? `Talk about ${concerns[0].area} first at the next session.`
      : "Ask at the next session what matters most.",
  };
}

function emailOf(
  { email, session_id, host_url }: Payload,
  { concerns }: ReturnType<typeof composePlan>,
) {
  const link = new URL(
    `sessions/${encodeURIComponent(session_id)}/plan`,
    host_url.replace(/\/*$/, "/"),
  );
  const steps = concerns.map(({ action }) => `- ${action}`).join("\n");
  return {
    to: email,
    subject: "Your care plan is ready",
    text: `Hello,\n\nyour care plan is ready: ${link}\n\n${steps}\n`.replace(/\n{3,}/g, "\n\n"),
  };
}
