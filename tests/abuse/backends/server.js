// /admin and everything below get 218. The target is resolved as a URL and decoded, as in much Node code. Case is ignored, as
// in Express.
const server = require("http").createServer((request, response) => {
  let path = "";
  try {
    path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  } catch {}
  response.statusCode = /^\/admin(\/|$)/i.test(path) ? 218 : 200;
  response.end("body");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
