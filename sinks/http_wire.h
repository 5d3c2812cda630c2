// HTTP messages over a ByteStream: Beast's parsers without Beast's operations on streams.
//
// `read_http` is what http::async_read, async_read_header and async_read_some are for a stream whose
// type is known, with the same errors; it is compiled once. Bodies are written as they are.
// Thread: the stream's. What is passed by reference lives until `done`.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "sinks/byte_stream.h"

namespace lapwing::sinks {

enum class HttpPart : std::uint8_t { kSome, kHead, kAll };

/// Reads until the parser has that much of the message; what follows it stays in the buffer.
void read_http(ByteStream& stream, boost::beast::flat_buffer& buffer,
               boost::beast::http::basic_parser<true>& parser, HttpPart part,
               ByteStream::Done done);
void read_http(ByteStream& stream, boost::beast::flat_buffer& buffer,
               boost::beast::http::basic_parser<false>& parser, HttpPart part,
               ByteStream::Done done);

/// The first line and the fields as they are sent, the empty line included.
std::string http_head(const boost::beast::http::header<true>& head);
std::string http_head(const boost::beast::http::header<false>& head);

/// RFC 9112 7.1; the last chunk where `data` is empty.
std::string http_chunk(std::string_view data);

}  // namespace lapwing::sinks
