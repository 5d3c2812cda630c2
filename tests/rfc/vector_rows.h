// Rows of the JSON-lines files in the public data's `vectors/` (see its README).
//
// Thread: any. Owns: nothing.
#pragma once

#include <boost/json.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lapwing::bgp::test {

using Row = boost::json::object;

/// The folder, with a slash at its end; nothing, and a word about it, where the data is absent.
std::optional<std::string> vectors_directory();

/// Plain or gzip. Returns the number of rows.
std::size_t for_each_row(const std::string& path, const std::function<void(const Row&)>& fn);

/// "" where the member is absent or no text.
std::string text_of(const Row& row, std::string_view key);

/// An AS_PATH as text with sets in ascending order without duplicates; asdot to asplain.
std::string normal_path(std::string_view text);

}  // namespace lapwing::bgp::test
