// The mail sink in a process of its own, which no fault touches: what it took, it took.
import { announcement, runUntilParentEnds, setting } from "../stack/child.ts";
import { startMailSink } from "../stack/mail_sink.ts";

const port = Number(setting("DIBS_PORT"));
const sink = await startMailSink(setting("DIBS_MAIL_FILE"), port);
console.log(announcement(port));
runUntilParentEnds(() => sink.stop());
