// All backups of one addon with the official JavaScript client, as `paginator.py` reads them.
//
//     node benchmarks/contestants/javascript_client.mjs as-it-comes|kept-alive URL PROJECT ADDON PER_PAGE TURNS

import http from 'node:http';

import { ApiClient, ApiClientInMemoryContextProvider } from '@northflank/js-client';

const [connections, url, projectId, addonId, perPage, turns] = process.argv.slice(2);

const provider = new ApiClientInMemoryContextProvider();
await provider.addContext({ name: 'benchmark', token: 'benchmark-token', host: url });
// As it comes, it opens a connection for each page.
const agent = connections === 'kept-alive' ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : undefined;
const client = new ApiClient(provider, { throwErrorOnHttpErrorCode: true, agent });

async function read() {
  const listing = await client.get.addon.backups.all({
    parameters: { projectId, addonId },
    options: { per_page: Number(perPage) },
  });
  return listing.data.backups.length;
}

await read(); // warms up
const clock = performance.now();
const before = process.cpuUsage();
let records = 0;
for (let turn = 0; turn < Number(turns); turn++) records += await read();
const seconds = (performance.now() - clock) / 1000;
const { user, system } = process.cpuUsage(before);
const peak = process.resourceUsage().maxRSS * 1024;
console.log(JSON.stringify({ records, seconds, processor: (user + system) / 1e6, peak }));
process.exit();
