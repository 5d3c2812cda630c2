#include "rib/state_writes.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <utility>

namespace lapwing::rib {

void StateWrites::add_key(std::string_view detector, std::string_view key) {
  Item& item = items_.emplace_back();
  item.at = octets_.size();
  item.detector_size = static_cast<std::uint32_t>(detector.size());
  item.key_size = static_cast<std::uint32_t>(key.size());
  octets_.append(detector);
  octets_ += '\0';
  octets_.append(key);
}

void StateWrites::put(std::string_view detector, std::string_view key, std::string_view value) {
  add_key(detector, key);
  items_.back().value_size = static_cast<std::uint32_t>(value.size());
  octets_.append(value);
}

void StateWrites::erase(std::string_view detector, std::string_view key) {
  add_key(detector, key);
  items_.back().erased = true;
}

void StateWrites::append(StateWrites&& later) {
  const StateWrites from = std::exchange(later, {});
  const std::size_t shift = octets_.size();
  octets_.append(from.octets_);
  items_.reserve(items_.size() + from.items_.size());
  for (Item item : from.items_) {
    item.at += shift;
    items_.push_back(item);
  }
}

void StateWrites::keep_last_of_each() {
  boost::unordered_flat_map<std::string_view, std::size_t> last;
  last.reserve(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) last[(*this)[i].stored_key] = i;
  StateWrites kept;
  kept.items_.reserve(last.size());
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const StateWrite write = (*this)[i];
    if (last.find(write.stored_key)->second != i) continue;
    if (write.value)
      kept.put(write.detector, write.key, *write.value);
    else
      kept.erase(write.detector, write.key);
  }
  kept.octets_.shrink_to_fit();
  *this = std::move(kept);
}

StateWrite StateWrites::operator[](std::size_t i) const {
  const Item& item = items_[i];
  const std::string_view all = octets_;
  const std::size_t key_at = item.at + item.detector_size + 1;
  StateWrite write;
  write.detector = all.substr(item.at, item.detector_size);
  write.key = all.substr(key_at, item.key_size);
  write.stored_key = all.substr(item.at, item.detector_size + 1 + item.key_size);
  if (!item.erased) write.value = all.substr(key_at + item.key_size, item.value_size);
  return write;
}

}  // namespace lapwing::rib
