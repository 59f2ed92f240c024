// Shows the description that stands in the page. Where the page names clients (a sandbox's, whose
// secrets everybody knows), a call without a token gets one of the client that its path belongs to.
"use strict";

(() => {
  const place = document.getElementById("swagger-ui");
  const clients = JSON.parse(place.dataset.clients);
  const spec = place.dataset.spec;
  const tokens = new Map();

  const fetchToken = async (client) => {
    const kept = tokens.get(client);
    if (kept && kept.until > performance.now()) return kept.value;
    const answer = await fetch(client.tokenUrl, {
      method: "POST",
      headers: { Authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    });
    if (!answer.ok) return null;
    const granted = await answer.json();
    tokens.set(client, {
      value: granted.access_token,
      until: performance.now() + (granted.expires_in - 5) * 1000,
    });
    return granted.access_token;
  };

  const withToken = async (request) => {
    const url = new URL(request.url, location.href);
    const named = Object.keys(request.headers || {}).some((n) => n.toLowerCase() === "authorization");
    const client = clients.find((each) => url.pathname.startsWith(each.path));
    const needsNone = url.pathname === spec || url.pathname === client?.tokenUrl;
    if (named || needsNone || !client || url.origin !== location.origin) return request;
    const token = await fetchToken(client);
    if (token) request.headers = { ...request.headers, Authorization: `Bearer ${token}` };
    return request;
  };

  const ui = SwaggerUIBundle({
    url: spec,
    domNode: place,
    deepLinking: true,
    requestInterceptor: withToken,
    validatorUrl: null,
  });
  const last = clients[clients.length - 1];
  if (last) ui.initOAuth({ clientId: last.id, clientSecret: last.secret });
})();
