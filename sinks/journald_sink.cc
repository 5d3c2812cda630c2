#include "sinks/journald_sink.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "sinks/backoff.h"
#include "sinks/event_params.h"
#include "sinks/filter.h"
#include "sinks/syslog_format.h"
#include "sinks/text.h"

namespace lapwing::sinks {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxFieldName = 64;  // journald refuses longer ones
constexpr milliseconds kFullPause{5};

std::string errno_text(std::string_view what, const std::string& path) {
  return std::string(what) + ' ' + path + ": " + std::generic_category().message(errno);
}

std::string field_name(std::string_view prefix, std::string_view name) {
  std::string out(prefix);
  for (const char c : name) {
    const bool letter = c >= 'a' && c <= 'z';
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += letter ? static_cast<char>(c - 'a' + 'A') : plain ? c : '_';
  }
  return out.substr(0, kMaxFieldName);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  std::string text;
  append_utf8(text, value);
  out += name;
  if (text.find('\n') == std::string::npos) {
    out += '=';
  } else {
    out += '\n';
    for (unsigned i = 0; i < 8; ++i)
      out += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xff);
  }
  out += text;
  out += '\n';
}

/// The socket, blocking never. Errors are texts, empty: sent.
class JournaldSocket {
 public:
  /// The last `send` failed only because journald has not read what came before.
  bool full() const { return full_; }

  explicit JournaldSocket(std::string path) : path_(std::move(path)) {}
  ~JournaldSocket() { close(); }
  JournaldSocket(const JournaldSocket&) = delete;
  JournaldSocket& operator=(const JournaldSocket&) = delete;

  std::string send(const std::string& message) {
    if (fd_ < 0)
      if (std::string error = open(); !error.empty()) return error;
    ssize_t sent = ::send(fd_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EMSGSIZE || errno == ENOBUFS)) return send_file(message);
    if (sent >= 0) return {};
    return failed("cannot send to");
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  std::string open() {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    if (fd_ >= 0 && ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return {};
    return failed("cannot reach");
  }

  // A full socket stays open: journald reads on.
  std::string failed(std::string_view what) {
    full_ = errno == EAGAIN;
    std::string text = errno_text(what, path_);
    if (!full_) close();
    return text;
  }

  std::string send_file(const std::string& message) {
    const int file = ::memfd_create("lapwing-event", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (file < 0) return errno_text("cannot make a memory file for", path_);
    std::string error;
    if (::write(file, message.data(), message.size()) != static_cast<ssize_t>(message.size()) ||
        ::fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
      error = errno_text("cannot fill a memory file for", path_);
    else if (!pass(file))
      error = failed("cannot send a memory file to");
    ::close(file);
    return error;
  }

  bool pass(int file) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof file)] = {};
    msghdr header{};
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof file);
    std::memcpy(CMSG_DATA(rights), &file, sizeof file);
    return ::sendmsg(fd_, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }

  const std::string path_;
  int fd_ = -1;
  bool full_ = false;
};

class JournaldSink final : public Sink {
 public:
  JournaldSink(boost::asio::io_context& io, std::string name, std::string path,
               JournaldFormat format, EventFilter filter, milliseconds longest_pause)
      : name_(std::move(name)),
        format_(std::move(format)),
        filter_(std::move(filter)),
        timer_(io),
        socket_(std::move(path)),
        backoff_(milliseconds(100), longest_pause) {}

  std::string_view name() const override { return name_; }

  void deliver(std::span<const JournalEntry> entries,
               std::function<void(std::uint64_t)> confirm) override {
    rest_ = entries;
    confirm_ = std::move(confirm);
    send();
  }

  void close() override {
    confirm_ = nullptr;
    timer_.cancel();
    socket_.close();
  }

  SinkStatus status() const override {
    SinkStatus status;
    status.name = name_;
    status.state = error_.empty() ? "up" : "failed: " + error_;
    status.retries = retries_;
    status.last_error = last_error_;
    return status;
  }

 private:
  void send() {
    Event scratch;
    std::uint64_t arrived = 0;
    error_.clear();
    while (!rest_.empty() && error_.empty()) {
      const Event* event = filter_.shown(rest_.front().event, scratch);
      if (event != nullptr) error_ = socket_.send(journald_message(*event, format_));
      if (!error_.empty()) break;
      arrived = rest_.front().number;
      rest_ = rest_.subspan(1);
    }
    if (arrived != 0) backoff_.reset();
    if (!error_.empty()) wait();
    if (arrived == 0) return;
    const auto confirm = rest_.empty() ? std::exchange(confirm_, nullptr) : confirm_;
    confirm(arrived);
  }

  void wait() {
    if (socket_.full()) {
      error_.clear();
      timer_.expires_after(kFullPause);
    } else {
      last_error_ = error_;
      ++retries_;
      timer_.expires_after(backoff_.next());
    }
    timer_.async_wait([this, alive = std::weak_ptr(alive_)](const boost::system::error_code& stopped) {
      if (!stopped && alive.lock() && confirm_) send();
    });
  }

  const std::string name_;
  const JournaldFormat format_;
  const EventFilter filter_;
  boost::asio::steady_timer timer_;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();  // ends with `this`
  JournaldSocket socket_;
  Backoff backoff_;
  std::span<const JournalEntry> rest_;          // of the batch under way
  std::function<void(std::uint64_t)> confirm_;  // set while a batch is under way
  std::uint64_t retries_ = 0;
  std::string error_;
  std::string last_error_;
};

}  // namespace

std::string journald_message(const Event& event, const JournaldFormat& format) {
  std::string out, time;
  append_field(out, "MESSAGE", event.summary);
  append_field(out, "PRIORITY", std::to_string(static_cast<unsigned>(event.severity)));
  append_field(out, "SYSLOG_IDENTIFIER", format.identifier);
  append_field(out, "SYSLOG_FACILITY", std::to_string(format.facility));
  const auto ours = [&](std::string_view name, std::string_view value) {
    append_field(out, field_name(format.prefix, name), value);
  };
  append_rfc3339(time, event.time);
  ours("type", event.type);
  ours("severity", to_string(event.severity));
  ours("time", time);
  ours("cause", to_string(event.cause));
  ours("rule", event.rule);
  for (const EventParam& param : event_params(event)) ours(param.name, param.value);
  return out;
}

std::unique_ptr<Sink> make_journald_sink(Settings& settings, boost::asio::io_context& io,
                                         const Program& program) {
  const std::string path = settings.text("socket", "/run/systemd/journal/socket");
  const bool fits = path.starts_with('/') && path.size() < sizeof(sockaddr_un::sun_path);
  if (!fits) settings.error("socket", "must be the absolute path of journald's socket");
  JournaldFormat format;
  format.prefix = message_id(program.name) + "_";
  format.identifier = settings.text("identifier", program.name);
  const std::string facility = settings.text("facility", "local7");
  if (const auto number = parse_facility(facility))
    format.facility = *number;
  else
    settings.error("facility", "must be a syslog facility: kern, user, daemon … local0 to local7");
  const auto pause = settings.duration("longest-pause", std::chrono::seconds(10), 1, 3600);
  EventFilter filter = EventFilter::from_settings(settings);
  std::string name = settings.text("name", "journald:" + path);
  if (!fits) return nullptr;
  return std::make_unique<JournaldSink>(io, std::move(name), path, std::move(format),
                                        std::move(filter), pause);
}

}  // namespace lapwing::sinks
