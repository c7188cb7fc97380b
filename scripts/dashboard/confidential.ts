/** The last line of defence: nothing leaves this process with one of these texts in it. */
export function withoutSecrets(text: string, secrets: string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, "[secret]"), text);
}

/** The key, and the password of the database, as it is written and as it is meant. */
export function secretsOf(
  { secretKey, databaseUrl }: { secretKey: string; databaseUrl?: string },
): string[] {
  const password = databaseUrl ? new URL(databaseUrl).password : "";
  return [secretKey, password, decodeURIComponent(password)].filter((secret) => secret.length > 3);
}
