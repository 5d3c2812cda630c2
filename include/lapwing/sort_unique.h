// A vector as an ascending set.
//
// Thread: any. Owns: nothing.
#pragma once

#include <algorithm>
#include <vector>

namespace lapwing {

template <typename T>
void sort_unique(std::vector<T>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

}  // namespace lapwing
