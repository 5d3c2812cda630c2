// One HTTP request of the webhook sink: connects, sends, reads the answer's head, closes.
//
// Thread: the sinks' thread. Owns: its connection.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sinks/tls_client.h"

namespace boost::asio {
class io_context;
}

namespace lapwing::sinks {

struct WebhookUrl {
  bool tls = false;
  std::string host;    // name or address, without brackets
  std::string port;
  std::string target;  // "/path?query"
  std::string authority;  // as it stands in the URL, for the Host field
};
/// "https://host[:port]/path" or "http://…"; nullopt for anything else.
std::optional<WebhookUrl> parse_webhook_url(std::string_view text);

struct WebhookAnswer {
  unsigned status = 0;  // 0: there was no answer, `error` says why
  std::string error;
  std::optional<std::chrono::seconds> retry_after;
};

class WebhookRequest {
 public:
  virtual ~WebhookRequest() = default;
  /// Ends the request; the answer is not told any more.
  virtual void cancel() = 0;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// POSTs `body`; `done` is called once, later, unless cancelled. `tls` outlives the request and is
/// given where the URL says https. Once the name is resolved, the rest takes `timeout` at most.
std::shared_ptr<WebhookRequest> start_webhook_request(
    boost::asio::io_context& io, const WebhookUrl& url, boost::asio::ssl::context* tls,
    const TlsOptions& options, const HeaderList& headers, const std::string& body,
    std::chrono::seconds timeout, std::function<void(WebhookAnswer)> done);

}  // namespace lapwing::sinks
