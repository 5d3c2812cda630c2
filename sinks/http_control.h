// The writes of the API: what is asked of a neighbour's session, and reload.
// Thread: the server's worker.
#pragma once

#include "sinks/http_request.h"

namespace lapwing::sinks {

/// POST /api/v1/peers/{name}/clear, and the others; a body may be {"text":"…"}, which the neighbour
/// is told (RFC 9003).
HttpResponse post_peer_clear(const HttpContext& context, const HttpRequest& request);
HttpResponse post_peer_refresh(const HttpContext& context, const HttpRequest& request);
HttpResponse post_peer_enable(const HttpContext& context, const HttpRequest& request);
HttpResponse post_peer_disable(const HttpContext& context, const HttpRequest& request);
/// POST /api/v1/reload
HttpResponse post_reload(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
