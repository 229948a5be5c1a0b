// With the client of hey-api: sign in, ask who it is, enqueue a report, and read a problem.
import { client } from "./hey/client.gen";
import { createReport, getReport, me, signIn } from "./hey/sdk.gen";

declare const process: { argv: string[] };

async function main([, , baseUrl, username, password, nowhere]: string[]) {
  client.setConfig({ baseUrl });
  const signedIn = await signIn({ body: { username, password } });
  client.setConfig({ auth: signedIn.data!.access_token });
  const person = await me();
  const job = await createReport({ body: { days: 7 }, headers: { "idempotency-key": "hey" } });
  const missing = await getReport({ path: { report_id: nowhere } });
  console.log(JSON.stringify([person.data!.email, job.data!.status, missing.error!.title]));
}

void main(process.argv);
