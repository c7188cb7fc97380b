import assert from "node:assert/strict";

/** Fails unless the call is refused as bad input, with a message that begins with the bad part. */
export async function assertRefused(call: () => PromiseLike<unknown>, part: string): Promise<void> {
  await assert.rejects(async () => await call(), (error: { code: string; message: string }) => {
    assert.equal(error.code, "PT400", error.message);
    assert.ok(error.message.startsWith(part), error.message);
    return true;
  });
}
