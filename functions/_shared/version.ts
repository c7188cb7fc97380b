/** Which Dibs these functions are of; the same as `dibs.version()` and package.json. */
export const VERSION = "0.1.0";
