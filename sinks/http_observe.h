// What the collector has seen and how its parts are: history, blind intervals, sinks, detectors.
// Thread: the server's worker.
#pragma once

#include "sinks/http_request.h"

namespace lapwing::sinks {

/// GET /api/v1/history?prefix=&peer=&since=&until=&limit=, newest first.
HttpResponse get_history(const HttpContext& context, const HttpRequest& request);
/// GET /api/v1/blind?peer=&at=: when neighbours were not heard; `at`: at that moment.
HttpResponse get_blind(const HttpContext& context, const HttpRequest& request);
/// GET /api/v1/sinks
HttpResponse get_sinks(const HttpContext& context, const HttpRequest& request);
/// GET /api/v1/suppressed?rule=: what the rules of [[suppress]] kept from the journal.
HttpResponse get_suppressed(const HttpContext& context, const HttpRequest& request);
/// GET /api/v1/events/{id}/children: the changes that a path-change folded.
HttpResponse get_event_children(const HttpContext& context, const HttpRequest& request);
/// GET /api/v1/detectors
HttpResponse get_detectors(const HttpContext& context, const HttpRequest& request);

}  // namespace lapwing::sinks
