// The sink "webhook": POSTs events to a URL, as JSON or as a text of a template.
//
// An event has arrived when the answer is 2xx. No answer, a time-out, 408, 425, 429 and 5xx are tried
// again after a pause that grows from 0.5 to `longest-pause` seconds, or the one that Retry-After
// asks for. 400, 413, 415 and 422 speak about this body: it is tried three times, then given up, and
// counted as lost. Any other answer (401, 404, a redirection) speaks about the URL or the settings:
// it is tried again like an error, so that nothing is lost while they are put right.
// Settings: url, batch (events in one request, as a JSON array where more than 1), template,
// template-file, content-type, headers ("Name: value"), secret, secret-file, timeout (seconds),
// longest-pause, name, and those of `TlsOptions` and `EventFilter`. With a secret each request has
// X-<Program>-Signature: sha256=<HMAC-SHA256 of the body in hexadecimal>.
// Thread: the sinks' thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lapwing/settings.h"
#include "lapwing/sink.h"
#include "sinks/program.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

/// "sha256=" and the HMAC-SHA256 of `body` in hexadecimal.
std::string webhook_signature(std::string_view secret, std::string_view body);

std::unique_ptr<Sink> make_webhook_sink(Settings& settings, boost::asio::io_context& io,
                                        const Program& program);

}  // namespace lapwing::sinks
