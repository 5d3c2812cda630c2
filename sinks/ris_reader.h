// Reading the feed for clients of RIS Live: GET /v1/stream/ and the WebSocket GET /v1/ws/.
//
// Thread: construction and destruction the server's; all else the server's worker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "lapwing/update_feed.h"
#include "sinks/http_request.h"
#include "sinks/ris_filter.h"
#include "sinks/stream_source.h"

namespace lapwing::sinks {

/// Checks GET /v1/stream/: `format` must be json; `subscribe`, or else the field X-RIS-Subscribe, is
/// the data of a ris_subscribe. Other parameters are ignored, as RIS Live does. 200 where it is right.
HttpResponse check_ris_stream(const HttpContext& context, const HttpRequest& request);
/// Checks GET /v1/ws/; that it is the handshake of a WebSocket is for the connection to see.
HttpResponse check_ris_socket(const HttpContext& context, const HttpRequest& request);

/// A place in the feed that moves with what is read.
class RisReader {
 public:
  /// `wake` is called from the engine thread when there is news.
  RisReader(UpdateFeed& feed, std::function<void()> wake);
  ~RisReader();
  RisReader(const RisReader&) = delete;
  RisReader& operator=(const RisReader&) = delete;

  std::uint64_t begin() const { return begin_; }
  /// Leaves out what there is.
  void skip(std::uint64_t& number) const { number = feed_.last(); }
  /// Calls `fn` with each message after `number` and moves `number`. kEnd: the client was so slow
  /// that changes were lost, and `lost` is a sentence about it.
  StreamSource::Next read(std::uint64_t& number, const std::function<void(RisChanges)>& fn,
                          std::string& lost) const;

 private:
  UpdateFeed& feed_;
  int subscription_ = 0;
  std::uint64_t begin_ = 0;
};

/// One ris_message a line; a ris_error before the end where the client was too slow.
class RisLines final : public StreamSource {
 public:
  RisLines(UpdateFeed& feed, const HttpRequest& request, std::function<void()> wake);

  std::uint64_t begin() const override { return reader_.begin(); }
  Next read(std::uint64_t& number, std::string& out) const override;
  std::string_view content_type() const override { return "application/x-ndjson"; }
  /// None: clients take an empty line for the end of the stream.
  std::string_view heartbeat() const override { return {}; }

 private:
  RisReader reader_;
  RisFilter filter_;
  const std::string host_;
};

}  // namespace lapwing::sinks
