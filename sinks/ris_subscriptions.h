// What one WebSocket client of RIS Live has subscribed to, and the answers to what it says.
//
// Messages of a client, as JSON: {"type":…,"data":…} with ris_subscribe and ris_unsubscribe (data as
// in ris_filter.h; ris_unsubscribe takes the subscription that is the same away, without data all),
// request_rrc_list and ping. A client that asks for nothing gets nothing.
// Thread: any; its members are guarded. Owns: the filters.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sinks/ris_filter.h"

namespace lapwing::sinks {

class RisSubscriptions {
 public:
  /// Subscriptions, and prefixes and hops in all of them together, of one client.
  static constexpr std::size_t kMaxFilters = 10000;
  static constexpr std::size_t kMaxSize = 30000;

  explicit RisSubscriptions(std::string host) : host_(std::move(host)) {}

  /// Does what a client's message says. The answer, one message; empty where there is none.
  std::string take(std::string_view text);
  bool empty() const;
  /// True where at least one subscription wants them.
  bool want(RisChanges changes) const;
  const std::string& host() const { return host_; }

 private:
  std::string subscribe(const boost::json::value& data);
  std::string unsubscribe(const boost::json::value& data);

  const std::string host_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<RisFilter> filters_;
  std::size_t size_ = 0;
};

}  // namespace lapwing::sinks
