import type { Stack } from "../../scripts/stack/stack.ts";

/** What somebody may show as a key, and what to call it. */
export interface Credential {
  name: string;
  value: string;
}

/** Where it may be shown: what is added to a request. */
export interface Slot {
  name: string;
  headers?: Record<string, string>;
  query?: string;
}

/** A key pair that signs tokens. */
export type Signer = CryptoKeyPair;

const ES256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
/** What @supabase/lite uses where nobody gives it another. */
const WELL_KNOWN_SECRET = "unsafe-secret-change-me";

export async function newSigner(): Promise<Signer> {
  return await crypto.subtle.generateKey(ES256, true, ["sign", "verify"]) as CryptoKeyPair;
}

/** The public half, as a project publishes it. */
export async function jwksOf({ publicKey }: Signer): Promise<string> {
  const jwk = await crypto.subtle.exportKey("jwk", publicKey);
  return JSON.stringify({ keys: [{ ...jwk, kid: "project", alg: "ES256", use: "sig" }] });
}

/**
 * Every kind there is. The functions know the tokens of a user by the project's key, @supabase/lite
 * those by its secret. Tokens that must not count claim to be the service role's.
 */
export async function credentialsOf(stack: Stack, project: Signer): Promise<Credential[]> {
  const now = Math.floor(Date.now() / 1000);
  // Without `sub`: @supabase/lite would look for the user in the Auth API, which is not there.
  const user = { role: "authenticated", aud: "authenticated", exp: now + 3600 };
  const service = { ...user, role: "service_role" };
  const expired = { ...service, exp: now - 60 };
  const [byKey, bySecret] = [es256(project), hs256(stack.jwtSecret)];
  const nobody = () => new Uint8Array();
  return [
    { name: "publishable key", value: stack.publishableKey },
    { name: "token of a user, by key", value: await byKey({ ...user, sub: crypto.randomUUID() }) },
    { name: "token of a user, by secret", value: await bySecret(user) },
    { name: "expired token, by key", value: await byKey(expired) },
    { name: "expired token, by secret", value: await bySecret(expired) },
    { name: "foreign token, by key", value: await es256(await newSigner())(service) },
    { name: "foreign token, by secret", value: await hs256(crypto.randomUUID())(service) },
    { name: "token by a secret all know", value: await hs256(WELL_KNOWN_SECRET)(service) },
    { name: "token of alg none", value: await token({ alg: "none" }, service, nobody) },
    { name: "wrong secret key", value: `sb_secret_${crypto.randomUUID()}` },
    { name: "right secret key", value: stack.secretKey },
    { name: "dispatch secret", value: stack.dispatchSecret },
  ];
}

/** Every place there is for it. */
export function slotsFor({ value }: Credential, { publishableKey }: Stack): Slot[] {
  const authorization = `Bearer ${value}`;
  return [
    { name: "apikey", headers: { apikey: value } },
    { name: "Bearer", headers: { authorization } },
    { name: "Bearer + publishable", headers: { authorization, apikey: publishableKey } },
    { name: "x-dispatch-secret", headers: { "x-dispatch-secret": value } },
    { name: "?apikey=", query: `apikey=${value}` },
  ];
}

type Sign = (text: Uint8Array<ArrayBuffer>) => Uint8Array | Promise<Uint8Array>;

function es256({ privateKey }: Signer) {
  const sign = async (text: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign(ES256, privateKey, text));
  return (claims: object) => token({ alg: "ES256", kid: "project" }, claims, sign);
}

function hs256(secret: string) {
  const bytes = new TextEncoder().encode(secret);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const sign = async (text: Uint8Array<ArrayBuffer>) => {
    const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
    return new Uint8Array(await crypto.subtle.sign("HMAC", key, text));
  };
  return (claims: object) => token({ alg: "HS256" }, claims, sign);
}

async function token(header: object, claims: object, sign: Sign): Promise<string> {
  const encode = (part: object) => base64url(new TextEncoder().encode(JSON.stringify(part)));
  const text = `${encode({ typ: "JWT", ...header })}.${encode(claims)}`;
  return `${text}.${base64url(await sign(new TextEncoder().encode(text)))}`;
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
