// With the types of openapi-typescript: sign in, ask who it is, enqueue a report, and read a problem.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

declare const process: { argv: string[] };

async function main([, , baseUrl, username, password, nowhere]: string[]) {
  const api = createClient<paths>({ baseUrl });
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const signedIn = await api.POST("/api/v1/auth/token", { body: { username, password, scope: "" }, headers });
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${signedIn.data!.access_token}`);
      return request;
    },
  });
  const me = await api.GET("/api/v1/users/me");
  const job = await api.POST("/api/v1/reports", { body: { days: 7 }, params: { header: { "idempotency-key": "fetch" } } });
  const missing = await api.GET("/api/v1/reports/{report_id}", { params: { path: { report_id: nowhere } } });
  console.log(JSON.stringify([me.data!.email, job.data!.status, missing.error!.title]));
}

void main(process.argv);
