// What detectors wrote to their durable state in one step, in order.
//
// All octets lie in one piece, each key as the store has it (detector | 0x00 | key): to write one
// takes no memory of its own, and the store needs no copy.
// Thread: one at a time. What it gives out is valid until it is changed or moved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lapwing::rib {

/// One write; no value: erase.
struct StateWrite {
  std::string_view detector;
  std::string_view key;
  std::string_view stored_key;
  std::optional<std::string_view> value;
};

class StateWrites {
 public:
  void put(std::string_view detector, std::string_view key, std::string_view value);
  void erase(std::string_view detector, std::string_view key);
  /// Adds all of `later`, and gives back the memory that held them.
  void append(StateWrites&& later);
  /// Of several writes to one key only the last stays.
  void keep_last_of_each();

  bool empty() const { return items_.empty(); }
  std::size_t size() const { return items_.size(); }
  StateWrite operator[](std::size_t i) const;
  /// In memory.
  std::size_t octets() const { return octets_.capacity() + items_.capacity() * sizeof(Item); }

 private:
  struct Item {
    std::uint64_t at = 0;  // in octets_
    std::uint32_t detector_size = 0;
    std::uint32_t key_size = 0;
    std::uint32_t value_size = 0;
    bool erased = false;
  };
  void add_key(std::string_view detector, std::string_view key);

  std::string octets_;
  std::vector<Item> items_;
};

}  // namespace lapwing::rib
