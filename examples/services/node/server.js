// A page that says which instance made it. Listens on HOST and PORT, which pmesh sets.

const fs = require("fs");
const http = require("http");
const path = require("path");

const { HOST = "127.0.0.1", PORT = "8080", PMESH_SERVICE = "node", PMESH_INSTANCE = "1" } = process.env;
const style = fs.readFileSync(path.join(__dirname, "../static/style.css"), "utf8");
let requests = 0;

const text = (value) => String(value).replace(/[<>&]/g, (c) => `&#${c.charCodeAt(0)};`);
const row = (name, value) => `<tr><th>${name}<td>${text(value)}`;

const server = http.createServer((request, response) => {
  requests += 1;
  response.setHeader("content-type", "text/html; charset=utf-8");
  response.end(`<!doctype html><html lang="en"><title>${PMESH_SERVICE}</title>
<meta name="viewport" content="width=device-width"><style>${style}</style>
<main class="node"><h1>Node ${process.versions.node}</h1><table>
${row("service", PMESH_SERVICE)}
${row("instance", PMESH_INSTANCE)}
${row("address", `${HOST}:${PORT}`)}
${row("process", process.pid)}
${row("requests", requests)}
${row("you asked for", request.headers.host)}
${row("you are", request.headers["x-forwarded-for"] ?? request.socket.remoteAddress)}
</table><p>Reload the page, and another instance answers.</main></html>
`);
});

server.listen(PORT, HOST, () => console.log(`listening on ${HOST}:${PORT}`));

// pmesh sends this once no request is in flight here.
process.on("SIGTERM", () => {
  console.log("stopping");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
