// [speaker], [storage], [watch], [http] and [log].
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "collector/config_parts.h"
#include "collector/config_text.h"

namespace lapwing::collector {
namespace {

constexpr std::string_view kEndpointWanted =
    "addresses with their ports such as \"0.0.0.0:179\" or \"[::]:179\"";
constexpr std::uint16_t kBgpPort = 179;

void read_listen(TableReader& reader, std::vector<bgp::Endpoint>& out) {
  const bool given = reader.texts("listen", kEndpointWanted, [&](const Node& item) {
    const auto endpoint = parse_endpoint(item.text, kBgpPort);
    if (!endpoint || (!is_unspecified(endpoint->address) && !is_host_address(endpoint->address)))
      reader.notes().error(
          item.at, mismatch("listen", fmt::format("an array of {}", kEndpointWanted), item));
    else if (std::find(out.begin(), out.end(), *endpoint) != out.end())
      reader.notes().error(item.at,
                           fmt::format("\"listen\" has {} twice", endpoint_text(*endpoint)));
    else
      out.push_back(*endpoint);
  });
  if (!given) out = {*parse_endpoint("0.0.0.0:179", 0), *parse_endpoint("[::]:179", 0)};
}

std::optional<HttpListen> parse_http_listen(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  HttpListen listen;
  if (text.starts_with(kUnix)) {
    text.remove_prefix(kUnix.size());
    if (text.size() < 2 || text.front() != '/' || text.size() >= sizeof(sockaddr_un::sun_path) ||
        !is_one_line(text))
      return std::nullopt;
    listen.unix_path = text;
    return listen;
  }
  constexpr std::string_view kTls = "tls:";
  listen.tls = text.starts_with(kTls);
  if (listen.tls) text.remove_prefix(kTls.size());
  const auto endpoint = parse_endpoint(text, 0);
  if (!endpoint || (!is_unspecified(endpoint->address) && !is_host_address(endpoint->address)))
    return std::nullopt;
  listen.endpoint = *endpoint;
  return listen;
}

// The file's first line; what is wrong goes into `error`.
std::optional<std::string> read_secret_file(const std::filesystem::path& path, std::size_t max_size,
                                            std::string& error) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    error = "cannot be read: " + std::system_category().message(errno);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    error = "is not a regular file";
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(max_size + 3, '\0');
  if (!file) {
    error = "cannot be read: " + std::system_category().message(errno);
    return std::nullopt;
  }
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

bool is_world_readable(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0;
}

}  // namespace

std::string format_http_listen(const HttpListen& listen) {
  if (!listen.unix_path.empty()) return "unix:" + listen.unix_path;
  return (listen.tls ? "tls:" : "") + endpoint_text(listen.endpoint);
}

bool read_secret(TableReader& reader, const std::string& key, std::size_t max_size,
                 std::string& out) {
  const std::string file_key = key + "-file";
  const Node* direct = reader.find(key);
  const Node* file = reader.find(file_key);
  Notes& notes = reader.notes();
  for (const Node* node : {direct, file})
    if (node != nullptr && node->kind != Node::Kind::kText) {
      notes.error(node->at,
                  fmt::format("\"{}\" must be a string, not {}", node->key, kind_name(node->kind)));
      return false;
    }
  if (direct != nullptr && file != nullptr) {
    notes.error(file->key_at, fmt::format("\"{}\" and \"{}\" exclude each other", key, file_key));
    return false;
  }
  const Node* node = direct != nullptr ? direct : file;
  if (node == nullptr) return false;
  std::string secret = node->text;
  if (file != nullptr) {
    const auto path = std::filesystem::path(notes.file()).parent_path() / file->text;
    std::string error;
    const auto text = read_secret_file(path, max_size, error);
    if (!text) {
      notes.error(file->at, fmt::format("\"{}\": {} {}", file_key, path.string(), error));
      return false;
    }
    if (is_world_readable(path))
      notes.warning(file->at, fmt::format("\"{}\": everyone may read {}; chmod 0640 is enough",
                                          file_key, path.string()));
    secret = *text;
  }
  if (secret.empty() || secret.size() > max_size || !is_one_line(secret)) {
    notes.error(node->at, fmt::format("\"{}\" must hold 1 to {} octets without control characters",
                                      node->key, max_size));
    return false;
  }
  out = std::move(secret);
  return true;
}

void read_speaker(const Node& table, Notes& notes, Config& config) {
  TableReader reader(table, "[speaker]", notes);
  bgp::SpeakerConfig& speaker = config.speaker;
  if (reader.require("local-as", "the AS number of this collector"))
    reader.asn("local-as", speaker.local_as);
  constexpr std::string_view kRouterId = "an IPv4 address other than 0.0.0.0 (RFC 6286)";
  if (const Node* node = reader.require("router-id", kRouterId)) {
    const auto id = parse_address(node->kind == Node::Kind::kText ? node->text : "");
    if (!id || id->version != IpVersion::kV4 || is_unspecified(*id))
      notes.error(node->at, mismatch("router-id", kRouterId, *node));
    else
      speaker.router_id = *id;
  }
  read_listen(reader, speaker.listen);
  reader.asns("route-server-as", config.route_server_ases);
  reader.finish();
}

void read_storage(const Node& table, Notes& notes, Config& config) {
  constexpr std::uint64_t kMiB = 1u << 20;
  constexpr std::uint64_t kTiB = kMiB << 20;
  TableReader reader(table, "[storage]", notes);
  std::string path;
  if (reader.text("path", path)) {
    if (path.empty() || !is_one_line(path))
      notes.error(table.find("path")->at, "\"path\" must name a directory");
    else
      config.store.path = path;
  }
  reader.size("cache-size", kMiB, kTiB, config.store.cache_bytes);
  reader.size("write-buffer", kMiB, kTiB, config.store.write_buffer_bytes);
  std::uint64_t pending = config.store.max_pending_bytes;
  if (reader.size("max-pending", kMiB, kTiB, pending))
    config.store.max_pending_bytes = static_cast<std::size_t>(pending);
  reader.number("history-days", 0, 36500, config.history_days);
  reader.size("history-size", 256 * kMiB, 64 * kTiB, config.store.history_bytes);
  reader.number("event-limit", 0, 1'000'000'000, config.store.event_limit);
  reader.number("event-days", 0, 36500, config.store.event_days);
  reader.duration("sync-interval", std::chrono::seconds(0), std::chrono::hours(1),
                  config.store.sync_interval);
  reader.size("event-budget", 16 * kMiB, 64 * kTiB, config.store.event_budget);
  reader.duration("keep-removed", std::chrono::seconds(0), std::chrono::hours(24 * 3650),
                  config.keep_removed);
  reader.finish();
}

void read_watch(const Node& table, Notes& notes, Config& config) {
  TableReader reader(table, "[watch]", notes);
  reader.asns("origins", config.watch.origins);
  reader.asns("ases", config.watch.ases);
  constexpr std::string_view kWanted = "prefixes such as \"203.0.113.0/24\"";
  std::vector<Prefix>& out = config.watch.prefixes;
  reader.texts("prefixes", kWanted, [&](const Node& item) {
    const auto prefix = parse_prefix(item.text);
    const auto masked = parse_prefix(item.text, true);
    if (!prefix && masked)
      notes.error(item.at,
                  fmt::format("\"{}\" has bits set beyond its length; the prefix is \"{}\"",
                              item.text, format_prefix(*masked)));
    else if (!prefix)
      notes.error(item.at, mismatch("prefixes", fmt::format("an array of {}", kWanted), item));
    else if (std::find(out.begin(), out.end(), *prefix) != out.end())
      notes.error(item.at, fmt::format("\"prefixes\" has {} twice", format_prefix(*prefix)));
    else
      out.push_back(*prefix);
  });
  reader.finish();
}

namespace {

// A file that can be read, relative to the configuration.
void read_pem_path(TableReader& reader, std::string_view key, std::string& out) {
  std::string text;
  if (!reader.text(key, text)) return;
  const auto path = std::filesystem::path(reader.notes().file()).parent_path() / text;
  if (!std::ifstream(path).good())
    reader.notes().error(reader.find(key)->at,
                         fmt::format("\"{}\": {} cannot be read", key, path.string()));
  out = path.string();
}

}  // namespace

void read_http(const Node& table, Notes& notes, Config& config) {
  constexpr std::string_view kWanted =
      "addresses such as \"127.0.0.1:8179\" or \"unix:/run/lapwing/lapwing.sock\"";
  constexpr std::size_t kMaxToken = 256;
  TableReader reader(table, "[http]", notes);
  const bool has_token = read_secret(reader, "token", kMaxToken, config.http.token);
  read_pem_path(reader, "tls-certificate", config.http.certificate);
  read_pem_path(reader, "tls-key", config.http.key);
  std::vector<HttpListen> listens;
  const bool given = reader.texts("listen", kWanted, [&](const Node& item) {
    const auto listen = parse_http_listen(item.text);
    if (!listen) {
      notes.error(item.at, mismatch("listen", fmt::format("an array of {}", kWanted), item));
      return;
    }
    if (std::find(listens.begin(), listens.end(), *listen) != listens.end()) {
      notes.error(item.at, fmt::format("\"listen\" has {} twice", format_http_listen(*listen)));
      return;
    }
    if (listen->tls && (config.http.certificate.empty() || config.http.key.empty()))
      notes.error(item.at, "an endpoint with tls: needs tls-certificate and tls-key");
    if (listen->unix_path.empty() && !is_loopback(listen->endpoint.address)) {
      if (!has_token)
        notes.error(item.at, "the API would be open to everyone who reaches this address; set a "
                             "token, or listen on loopback");
      else if (!listen->tls)
        notes.warning(item.at, "the API, its token included, crosses the network in clear; write "
                               "tls: before the address, or listen on loopback");
    }
    listens.push_back(*listen);
  });
  if (given && table.find("listen")->items.empty())
    notes.warning(table.find("listen")->at, "no API: `lapwing show` will not work");
  if (given) config.http.listen = std::move(listens);
  reader.finish();
}

void read_log(const Node& table, Notes& notes, Config& config) {
  constexpr std::string_view kWanted = "\"error\", \"warning\", \"notice\", \"info\" or \"debug\"";
  TableReader reader(table, "[log]", notes);
  if (const Node* node = reader.find("level")) {
    const auto level = parse_log_level(node->kind == Node::Kind::kText ? node->text : "");
    if (level)
      config.log_level = *level;
    else
      notes.error(node->at, mismatch("level", kWanted, *node));
  }
  reader.finish();
}

}  // namespace lapwing::collector
