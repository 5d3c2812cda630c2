#pragma once
// Long texts for tests of limits.

#include <cstddef>
#include <string>

/// `size` times `c`. At run time: g++ would try to make a string of a constant size while it
/// compiles.
inline std::string repeat(std::size_t size, char c) {
  std::string text;
  text.resize(size, c);
  return text;
}
