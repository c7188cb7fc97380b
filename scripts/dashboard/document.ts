/** The one document; everything in it that is not fixed is made by the server itself. */
export function documentOf({ base, token }: { base: string; token: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Dibs</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<meta name="dibs-base" content="${base}">
<meta name="dibs-token" content="${token}">
<link rel="icon" href="${base}assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}assets/main.css">
<script type="module" src="${base}assets/main.js"></script>
</head>
<body>
<div id="dibs"></div>
<noscript>The dashboard needs JavaScript. Without it: npm run doctor, and the function status.</noscript>
</body>
</html>
`;
}

/** Two hands on one thing, and one of them has it. */
export const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0f9d76"/><path d="M9 8v16h6.5a8 8 0 0 0 0-16z" fill="none" stroke="#fff" stroke-width="3.4" stroke-linejoin="round"/><circle cx="22.6" cy="9.4" r="3.4" fill="#fff"/></svg>`;
