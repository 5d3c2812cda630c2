// A detector in C++ over the C interface: a neighbour that is up and says nothing for an hour; with a
// timer and a query of the routes. Set to, it throws, as a plugin should not.
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>

#include "lapwing/plugin.h"

namespace {

class QuietPeer {
 public:
  explicit QuietPeer(const lapwing_host* host) : host_(host) {
    seconds_ = host->integer_setting(host, "seconds", 3600, 1, 86400);
    const lapwing_text mode = host->text_setting(host, "mode", "");
    mode_.assign(mode.data, mode.size);
    if (mode_ == "throw-at-create") throw std::runtime_error("no, thanks");
  }

  bool throws_at_end() const { return mode_ == "throw-at-destroy"; }
  void heard(const lapwing_route_change& change) {
    if (change.peer_removed != 0) return;
    if (mode_ == "throw") throw std::runtime_error("out of a plugin");
    if (mode_ == "fail") host_->fail(host_, "gave up");
    if (mode_ == "no-type") {
      lapwing_event nothing{};
      nothing.size = sizeof nothing;
      host_->emit(host_, &nothing);
    }
    if (mode_ == "bad-type") tell(change.peer, "Bad Type", LAPWING_RAISE, 1);
    if (mode_ == "bad-field" || mode_ == "no-field-name") {
      const std::uint64_t part = 1;
      lapwing_field field{};
      field.name = mode_ == "bad-field" ? "id" : nullptr;
      lapwing_event event{};
      event.size = sizeof event;
      event.type = "quiet-peer";
      event.id_parts = &part;
      event.id_part_count = 1;
      event.fields = &field;
      event.field_count = 1;
      host_->emit(host_, &event);
    }
    if (const auto was = quiet_since_.find(change.peer); was != quiet_since_.end()) {
      tell(change.peer, "peer-talks", LAPWING_CLEAR, static_cast<std::uint64_t>(was->second));
      quiet_since_.erase(was);
    }
    routes_[change.peer] = 0;
    host_->for_each_route(
        host_, change.prefix,
        [](void* self, const lapwing_route* route) {
          ++static_cast<QuietPeer*>(self)->routes_[route->peer];
        },
        this);
    host_->set_timer(host_, change.peer, host_->now(host_) + seconds_ * 1000000);
  }

  void quiet(std::uint32_t peer) {
    const auto now = static_cast<std::uint64_t>(host_->now(host_));
    quiet_since_[peer] = host_->now(host_);
    tell(peer, "quiet-peer", LAPWING_RAISE, now);
    // Those that fall silent at one moment are one incident.
    host_->add_witness(host_, "quiet-peer", &now, 1, peer);
  }

 private:
  void tell(std::uint32_t peer, const char* type, std::uint8_t action, std::uint64_t since) {
    lapwing_peer info{};
    info.size = sizeof info;
    host_->peer(host_, peer, &info);
    const std::string summary = std::string(info.name.data, info.name.size) +
                                (action == LAPWING_RAISE ? " is quiet" : " talks again");
    const std::uint64_t parts[] = {since};
    const lapwing_field fields[] = {
        {"known_routes", LAPWING_INTEGER, routes_[peer], {}},
        {"watched", LAPWING_BOOLEAN, host_->watches_as(host_, info.as), {}},
        {"name", LAPWING_TEXT, 0, info.name},
        {"at", LAPWING_TIME, host_->now(host_), {}}};
    lapwing_event event{};
    event.size = sizeof event;
    event.type = type;
    event.action = action;
    // A clear of another type than its raise says which it ends.
    if (action == LAPWING_CLEAR) event.ends = "quiet-peer";
    event.severity = 6;
    event.last_known = LAPWING_NO_TIME;
    event.id_parts = parts;
    event.id_part_count = 1;
    event.incident_parts = parts;
    event.incident_part_count = 1;
    event.peers = &peer;
    event.peer_count = 1;
    event.fields = fields;
    event.field_count = 4;
    event.summary = {summary.data(), summary.size()};
    host_->emit(host_, &event);
  }

  const lapwing_host* host_;
  std::int64_t seconds_ = 0;
  std::string mode_;
  std::map<std::uint32_t, std::int64_t> routes_, quiet_since_;
};

QuietPeer& of(void* self) { return *static_cast<QuietPeer*>(self); }

}  // namespace

extern "C" const lapwing_plugin_table* lapwing_plugin(void) {
  static const lapwing_plugin_table table = [] {
    lapwing_plugin_table t{};
    t.size = sizeof t;
    t.abi = LAPWING_PLUGIN_ABI;
    t.routes = LAPWING_ROUTES_ALL;
    t.version = "1.0";
    t.create = [](const lapwing_host* host, const char*) -> void* { return new QuietPeer(host); };
    t.destroy = [](void* self) {
      const bool throws = of(self).throws_at_end();
      delete &of(self);
      if (throws) throw std::runtime_error("not yet");
    };
    t.on_route_change = [](void* self, const lapwing_route_change* c) { of(self).heard(*c); };
    t.on_timer = [](void* self, std::uint64_t key) {
      of(self).quiet(static_cast<std::uint32_t>(key));
    };
    return t;
  }();
  return &table;
}
