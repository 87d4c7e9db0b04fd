// Reads all backups of one addon with the official JavaScript client, like `paginator.py`.
//
//     node benchmarks/contestants/javascript_client.mjs default|keep-alive URL PROJECT ADDON PER_PAGE REPEATS

import http from 'node:http';

import { ApiClient, ApiClientInMemoryContextProvider } from '@northflank/js-client';

const [connections, url, projectId, addonId, perPage, repeats] = process.argv.slice(2);

const provider = new ApiClientInMemoryContextProvider();
await provider.addContext({ name: 'benchmark', token: 'benchmark-token', host: url });
// By default, the client opens a connection for each page.
const agent = connections === 'keep-alive' ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
const client = new ApiClient(provider, { throwErrorOnHttpErrorCode: true, agent });

async function read() {
  const listing = await client.get.addon.backups.all({
    parameters: { projectId, addonId },
    options: { per_page: Number(perPage) },
  });
  return listing.data.backups.length;
}

await read(); // warm-up
const started = performance.now();
const cpuStarted = process.cpuUsage();
let records = 0;
for (let i = 0; i < Number(repeats); i++) records += await read();
const seconds = (performance.now() - started) / 1000;
const { user, system } = process.cpuUsage(cpuStarted);
const peak_bytes = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ records, seconds, cpu_seconds: (user + system) / 1e6, peak_bytes }));
process.exit();
