#include "tests/rfc/vector_rows.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace lapwing::bgp::test {

std::optional<std::string> vectors_directory() {
  const char* root = std::getenv("LAPWING_SHARED_DATA");
  if (root == nullptr || !std::ifstream(std::string(root) + "/README.md")) {
    MESSAGE("skipped: LAPWING_SHARED_DATA is absent");
    return std::nullopt;
  }
  return std::string(root) + "/vectors/";
}

std::size_t for_each_row(const std::string& path, const std::function<void(const Row&)>& fn) {
  gzFile file = gzopen(path.c_str(), "rb");
  REQUIRE(file != nullptr);
  std::string text;
  char buffer[1 << 16];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  gzclose(file);
  std::size_t rows = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) {
      fn(boost::json::parse(std::string_view(text).substr(at, end - at)).as_object());
      ++rows;
    }
    at = end + 1;
  }
  return rows;
}

std::string text_of(const Row& row, std::string_view key) {
  const boost::json::value* value = row.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string normal_path(std::string_view text) {
  std::string out;
  std::vector<std::uint64_t> set;
  bool in_set = false;
  char close = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c >= '0' && c <= '9') {
      std::uint64_t asn = 0;
      for (; i < text.size() && ((text[i] >= '0' && text[i] <= '9') || text[i] == '.'); ++i) {
        asn = text[i] == '.' ? asn << 16
                             : (asn & ~0xffffull) + (asn & 0xffff) * 10 +
                                   static_cast<std::uint64_t>(text[i] - '0');
      }
      if (in_set)
        set.push_back(asn);
      else
        out += std::to_string(asn);
      continue;
    }
    if (c == '{' || c == '[') {
      in_set = true;
      close = c == '{' ? '}' : ']';
      out += c;
    } else if (c == close && in_set) {
      std::sort(set.begin(), set.end());
      set.erase(std::unique(set.begin(), set.end()), set.end());
      for (std::size_t n = 0; n < set.size(); ++n)
        out += (n == 0 ? "" : ",") + std::to_string(set[n]);
      set.clear();
      in_set = false;
      out += c;
    } else if (!in_set) {
      out += c;
    }
    ++i;
  }
  return out;
}

}  // namespace lapwing::bgp::test
