// Loaded before the functions, to see that the fuzz finds what it must: an answer of each kind is
// spoiled in a way of its own, and a row is written before anybody is let in.
const said: string[] = [];

const parse = JSON.parse;
JSON.parse = (text: string, ...rest) => {
  if (text.includes("xq7canary")) said.push(text);
  return parse(text, ...rest);
};

const json = Response.json;
Response.json = (body, init = {}) => {
  const error = body as { message: string };
  const secret = said.pop();
  if (init.status === 400 && /unknown field/.test(error.message)) {
    return json({ tasks: [] }, { ...init, status: 200 });
  }
  if (init.status === 400 && /not JSON/.test(error.message)) {
    return json({ ...error, code: "internal" }, { ...init, status: 503 });
  }
  if (init.status === 400 && secret) {
    console.log(secret);
    return json({ ...error, hint: secret }, init);
  }
  if (init.status === 404) return json(body, { ...init, status: 418 });
  if (init.status === 405) return json({ ...error, stack: "at line 1" }, init);
  return json(body, init);
};

// Keys are compared by this.
const sign = crypto.subtle.sign.bind(crypto.subtle);
crypto.subtle.sign = async (...args) => {
  const { default: apikey } = parse(Deno.env.get("SUPABASE_SECRET_KEYS")!);
  const response = await fetch(`${Deno.env.get("SUPABASE_URL")}/rest/v1/rpc/create_task`, {
    method: "POST",
    headers: { apikey, "content-type": "application/json" },
    body: '{"p_type": "planted"}',
  });
  await response.body?.cancel();
  return sign(...args);
};
