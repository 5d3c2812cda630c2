#include "sinks/http_wire.h"

#include <boost/asio/error.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/read_size.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/write.hpp>
#include <memory>
#include <optional>
#include <sstream>
#include <utility>

namespace lapwing::sinks {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::size_t kReadOctets = 65536;

template <bool kRequest>
struct Reading {
  ByteStream& stream;
  beast::flat_buffer& buffer;
  http::basic_parser<kRequest>& parser;
  HttpPart part;
  ByteStream::Done done;

  bool complete() const {
    return part == HttpPart::kHead ? parser.is_header_done() : parser.is_done();
  }
};
template <bool kRequest>
using Pointer = std::shared_ptr<Reading<kRequest>>;

template <bool kRequest>
void end_later(const Pointer<kRequest>& reading, const error_code& error) {
  reading->stream.later([reading, error] { reading->done(error); });
}

template <bool kRequest>
void receive(const Pointer<kRequest>& reading);

// nullopt: more must be received.
template <bool kRequest>
std::optional<error_code> parse(Reading<kRequest>& reading) {
  while (reading.buffer.size() > 0) {
    error_code error;
    reading.buffer.consume(reading.parser.put(reading.buffer.data(), error));
    if (error == http::error::need_more) return std::nullopt;
    if (error || reading.part == HttpPart::kSome || reading.complete()) return error;
  }
  return std::nullopt;
}

template <bool kRequest>
void take(const Pointer<kRequest>& reading, error_code error, std::size_t size) {
  reading->buffer.commit(size);
  if (error == asio::error::eof) {
    error = http::error::end_of_stream;
    if (reading->parser.got_some()) {
      error = {};
      reading->parser.put_eof(error);
    }
    return reading->done(error);
  }
  if (error) return reading->done(error);
  if (const auto result = parse(*reading)) return reading->done(*result);
  receive(reading);
}

template <bool kRequest>
void receive(const Pointer<kRequest>& reading) {
  const std::size_t size = beast::read_size(reading->buffer, kReadOctets);
  if (size == 0) return end_later(reading, http::error::buffer_overflow);
  reading->stream.read_some(
      reading->buffer.prepare(size),
      [reading](const error_code& error, std::size_t got) { take(reading, error, got); });
}

template <bool kRequest>
void read(ByteStream& stream, beast::flat_buffer& buffer, http::basic_parser<kRequest>& parser,
          HttpPart part, ByteStream::Done done) {
  if (part != HttpPart::kSome) parser.eager(part == HttpPart::kAll);
  const auto reading = std::make_shared<Reading<kRequest>>(
      Reading<kRequest>{stream, buffer, parser, part, std::move(done)});
  if (part != HttpPart::kSome && reading->complete()) return end_later(reading, {});
  if (const auto result = parse(*reading)) return end_later(reading, *result);
  receive(reading);
}

template <bool kRequest>
std::string head_text(const http::header<kRequest>& head) {
  std::ostringstream text;
  text << head;
  return std::move(text).str();
}

}  // namespace

void read_http(ByteStream& stream, beast::flat_buffer& buffer, http::basic_parser<true>& parser,
               HttpPart part, ByteStream::Done done) {
  read(stream, buffer, parser, part, std::move(done));
}
void read_http(ByteStream& stream, beast::flat_buffer& buffer, http::basic_parser<false>& parser,
               HttpPart part, ByteStream::Done done) {
  read(stream, buffer, parser, part, std::move(done));
}

std::string http_head(const http::header<true>& head) { return head_text(head); }
std::string http_head(const http::header<false>& head) { return head_text(head); }

std::string http_chunk(std::string_view data) {
  std::string text;
  const auto add = [&text](const auto& buffers) {
    for (const asio::const_buffer part : beast::buffers_range_ref(buffers))
      text.append(static_cast<const char*>(part.data()), part.size());
  };
  if (data.empty())
    add(http::make_chunk_last());
  else
    add(http::make_chunk(asio::buffer(data.data(), data.size())));
  return text;
}

}  // namespace lapwing::sinks
