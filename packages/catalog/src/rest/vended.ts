/** Members that say when credentials run out, in milliseconds since the epoch, by the names of Iceberg's own properties. */
const expiries = [
  /^s3\.session-token-expires-at-ms$/,
  /^gcs\.oauth2\.token-expires-at$/,
  /^adls\.sas-token-expires-at-ms(\.|$)/,
] as const

/** All of them; none where nothing is said. */
export function expiresAtMs(config: Readonly<Record<string, string>>): number[] {
  return Object.entries(config)
    .filter(([name]) => expiries.some((expiry) => expiry.test(name)))
    .map(([, value]) => Number(value))
    .filter((ms) => Number.isFinite(ms))
}
