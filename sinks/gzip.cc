#include "sinks/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <new>

namespace lapwing::sinks {

struct Gzip::State {
  z_stream stream{};
};

Gzip::Gzip() : state_(std::make_unique<State>()) {
  constexpr int kFastLevel = 1, kWindow = 15, kGzipFormat = 16, kMemory = 8;
  if (::deflateInit2(&state_->stream, kFastLevel, Z_DEFLATED, kWindow + kGzipFormat, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}

Gzip::~Gzip() { ::deflateEnd(&state_->stream); }

std::string Gzip::add(std::string_view data, bool last) {
  z_stream& z = state_->stream;
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  std::string out;
  char buffer[32768];
  do {
    z.next_out = reinterpret_cast<Bytef*>(buffer);
    z.avail_out = sizeof buffer;
    ::deflate(&z, last ? Z_FINISH : Z_SYNC_FLUSH);
    out.append(buffer, sizeof buffer - z.avail_out);
  } while (z.avail_out == 0);
  return out;
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::string text;
  for (const char c : accept_encoding)
    if (c != ' ' && c != '\t')
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::string_view rest = text;
  bool any = false;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const std::string_view name = item.substr(0, item.find(';'));
    // "q=0", "q=0.0": not wanted.
    const std::size_t q = item.find(";q=");
    const bool wanted = q == std::string_view::npos ||
                        item.find_first_not_of("0.", q + 3) != std::string_view::npos;
    if (name == "gzip" || name == "x-gzip") return wanted;
    if (name == "*") any = wanted;
  }
  return any;
}

}  // namespace lapwing::sinks
