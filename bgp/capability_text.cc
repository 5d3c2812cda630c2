#include <string>
#include <string_view>

#include "bgp/open.h"

namespace lapwing::bgp {

namespace {

class List {
 public:
  void add(std::string_view item) {
    if (!text_.empty()) text_ += ", ";
    text_ += item;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

Octets as_octets(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string role_name(std::uint8_t role) {
  static constexpr const char* kNames[] = {"provider", "route-server", "route-server-client",
                                           "customer", "peer"};
  return role < 5 ? kNames[role] : std::to_string(role);
}

std::string describe_graceful_restart(const GracefulRestart& restart) {
  std::string text = "graceful-restart " + std::to_string(restart.time) + " s";
  if (restart.restarting) text += " restarting";
  if (restart.notification) text += " notification";
  for (const GracefulRestartFamily& f : restart.families) {
    text += ' ' + format_family(f.family);
    if (f.forwarding) text += " (forwarding)";
  }
  return text;
}

}  // namespace

std::string describe_capabilities(const Capabilities& c) {
  List list;
  for (const Family family : c.families) list.add(format_family(family));
  if (c.route_refresh) list.add("route-refresh");
  if (c.enhanced_route_refresh) list.add("enhanced-route-refresh");
  for (const ExtendedNextHop& e : c.extended_next_hop)
    list.add("extended-next-hop " + format_family(e.family) + " by AFI " +
             std::to_string(e.next_hop_afi));
  if (c.extended_message) list.add("extended-message");
  if (c.role) list.add("role " + role_name(*c.role));
  if (c.graceful_restart) list.add(describe_graceful_restart(*c.graceful_restart));
  if (c.four_octet_as) list.add("4-octet-as " + std::to_string(*c.four_octet_as));
  for (const AddPathFamily& f : c.add_path)
    list.add("add-path " + format_family(f.family) + (f.receive ? " receive" : "") +
             (f.send ? " send" : ""));
  for (const LongLivedFamily& f : c.long_lived)
    list.add("long-lived-graceful-restart " + format_family(f.family) + ' ' +
             std::to_string(f.stale_time) + " s");
  if (!c.host_name.empty()) {
    std::string name = "host-name " + escape_text(as_octets(c.host_name));
    if (!c.domain_name.empty()) name += '.' + escape_text(as_octets(c.domain_name));
    list.add(name);
  }
  if (!c.software_version.empty())
    list.add("software-version \"" + escape_text(as_octets(c.software_version)) + '"');
  for (const UnknownCapability& u : c.unknown) list.add("capability " + std::to_string(u.code));
  return list.take();
}

}  // namespace lapwing::bgp
