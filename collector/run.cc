#include "collector/run.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "bgp/speaker.h"
#include "collector/collector_reader.h"
#include "collector/engine_thread.h"
#include "collector/log.h"
#include "collector/queues.h"
#include "collector/recorder.h"
#include "collector/service.h"
#include "collector/setup.h"
#include "rib/engine.h"
#include "rib/store.h"
#include "sinks/http_server.h"
#include "sinks/sink_set.h"

namespace lapwing::collector {

namespace {

/// Records on their way to the engine; beyond it sockets are not read.
constexpr std::size_t kMaxQueuedOctets = 16u << 20;

/// What the store kept, on its way into the engine.
class Restore final : public rib::LoadVisitor {
 public:
  explicit Restore(rib::Engine& engine) : engine_(engine) {}
  void on_meta(Timestamp alive_until) override { engine_.restore_meta(alive_until); }
  void on_peer(const rib::PeerRecord& record) override {
    bad_ += engine_.restore_peer(record) ? 0 : 1;
  }
  void on_path(PathId id, Octets octets) override {
    bad_ += engine_.restore_path(id, octets) ? 0 : 1;
  }
  void on_route(PeerId peer, const bgp::NlriKey& key, PathId path, Timestamp) override {
    ++routes_;
    bad_ += engine_.restore_route(peer, key, path) ? 0 : 1;
  }
  void on_state(std::string_view detector, std::string_view key, std::string_view value) override {
    engine_.restore_state(detector, key, value);
  }
  std::uint64_t routes() const { return routes_; }
  std::uint64_t bad() const { return bad_; }

 private:
  rib::Engine& engine_;
  std::uint64_t routes_ = 0;
  std::uint64_t bad_ = 0;
};

void log_session(bgp::LogLevel level, std::string_view neighbor, const std::string& message) {
  constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kNotice,
                                  LogLevel::kWarning, LogLevel::kError};
  const std::string matter = neighbor.empty() ? "speaker" : "peer " + std::string(neighbor);
  log().write(kLevels[static_cast<std::size_t>(level)], matter, message);
}

/// The parts of the program and their threads. They start from the store up to the sessions, and
/// end the other way round, so that nothing is lost between them.
class Collector {
 public:
  explicit Collector(const Config& config) : config_(config), queue_(kMaxQueuedOctets) {}

  /// False when it cannot start; the log says why.
  bool start() { return open_store() && start_engine() && start_surfaces() && start_speaker(); }

  /// Returns after SIGTERM or SIGINT and an orderly end.
  void run() {
    boost::asio::signal_set signals(io_, SIGTERM, SIGINT);
    boost::asio::signal_set reopen(io_, SIGHUP);
    signals.async_wait([&](boost::system::error_code error, int signal) {
      if (error) return;
      log().notice("lapwing", "signal {}: ending", signal);
      notify_service_manager("STOPPING=1");
      reopen.cancel();
      speaker_->stop("Lapwing is stopping", [this] { io_.stop(); });
    });
    wait_for_reopen(reopen);
    reader_->set_ready(true);
    notify_service_manager("READY=1");
    log().notice("lapwing", "{} is ready: {} neighbours, {} stored routes", kVersion,
                 config_.neighbors.size(), engine_->counters().routes.load());
    io_.run();
  }

  void stop() {
    if (reader_) {
      reader_->set_ready(false);
      reader_->set_speaker(nullptr);
    }
    if (http_) http_->stop();
    speaker_.reset();
    if (recorder_) recorder_->stop();
    if (engine_thread_) engine_thread_->stop();
    if (store_) store_->stop();
    if (sinks_) sinks_->stop();
  }

 private:
  bool open_store() {
    std::string error;
    rib::StoreOptions options = config_.store;
    options.history_days = config_.history_days;
    options.on_warning = [](std::string_view text) { log().warning("store", "{}", text); };
    store_ = rib::Store::open(options, error);
    if (!store_) {
      log().error("store", "{}", error);
      return false;
    }
    if (const std::string report = store_->recovery_report(); !report.empty())
      log().error("store", "{}", report);
    return true;
  }

  bool start_engine() {
    rib::EngineOptions options = engine_options(config_, false);
    options.on_limit = [this](const rib::LimitReport& report) { on_limit(report); };
    engine_.emplace(std::move(options), *store_);
    std::vector<Diagnostic> diagnostics;
    for (auto& detector : make_detectors(config_, diagnostics))
      engine_->add_detector(std::move(detector));
    if (has_errors(diagnostics)) return report(diagnostics);
    Restore restore(*engine_);
    std::string error;
    if (!store_->load(restore, error)) {
      log().error("store", "{}", error);
      return false;
    }
    if (restore.bad() != 0)
      log().error("store", "{} stored entries contradict each other and were left out",
                  restore.bad());
    store_->start(*engine_);
    engine_->end_restore();
    restored_ = restore.routes() != 0;
    engine_thread_.emplace(*engine_, queue_);
    engine_thread_->start();
    return true;
  }

  bool start_surfaces() {
    reader_.emplace(*engine_, *engine_thread_, *store_, kVersion);
    const sinks::Program program{"lapwing", kVersion};
    sinks_.emplace(store_->journal(), program);
    std::vector<Diagnostic> diagnostics;
    for (const SettingsTable& table : config_.sinks) {
      Settings settings = table.settings;
      sinks_->add(table.name, settings);
      note_setting_errors(config_, table, settings.finish(), diagnostics);
    }
    if (has_errors(diagnostics)) return report(diagnostics);
    sinks_->start();
    return start_http(program);
  }

  bool start_http(const sinks::Program& program) {
    if (config_.http.listen.empty()) return true;
    sinks::HttpOptions options;
    for (const HttpListen& listen : config_.http.listen)
      options.listen.push_back(format_http_listen(listen));
    options.token = config_.http.token;
    sinks::HttpContext context{*reader_, store_->journal(), program,
                               [this] { return sinks_->status(); },
                               {}};
    http_ = std::make_unique<sinks::HttpServer>(std::move(options), std::move(context));
    const std::optional<std::string> error = http_->start();
    if (!error) return true;
    log().error("http", "{}", *error);
    http_.reset();
    return false;
  }

  bool start_speaker() {
    bgp::SpeakerOptions options;
    options.restarted = restored_;
    options.record = !config_.record.directory.empty();
    bgp::RecordSink* sink = &queue_;
    if (options.record) {
      recorder_.emplace(config_.record, config_.speaker.router_id);
      if (const std::string error = recorder_->start(); !error.empty()) {
        log().error("record", "{}", error);
        return false;
      }
      sink = &recording_.emplace(queue_, *recorder_);
    }
    speaker_ = std::make_unique<bgp::Speaker>(io_, config_.speaker, *sink, log_session, options);
    const std::vector<std::string> errors = speaker_->listen();
    for (const std::string& error : errors) log().error("speaker", "{}", error);
    if (!errors.empty()) return false;
    speaker_->configure(config_.neighbors);
    reader_->set_speaker(speaker_.get());
    return true;
  }

  // On the engine thread. The session is ended on the io thread, whose speaker may be gone by then.
  void on_limit(const rib::LimitReport& report) {
    const std::string matter = "peer " + report.peer;
    const std::string family = format_family(report.family);
    if (report.what == rib::LimitReport::What::kNear)
      log().warning(matter, "{}: {} routes, close to its limit of {}", family, report.routes + 1,
                    report.limit);
    else if (report.what == rib::LimitReport::What::kExceeded)
      log().warning(matter, "{}: more than {} routes", family, report.limit);
    if (report.what != rib::LimitReport::What::kStop) return;
    boost::asio::post(io_, [this, report] {
      if (speaker_) speaker_->stop_for_max_prefix(report.peer, report.family, report.limit);
    });
  }

  void wait_for_reopen(boost::asio::signal_set& signal) {
    signal.async_wait([this, &signal](boost::system::error_code error, int) {
      if (error) return;
      sinks_->reopen();
      wait_for_reopen(signal);
    });
  }

  static bool report(const std::vector<Diagnostic>& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics)
      log().error("config", "{}", format_diagnostic(diagnostic));
    return false;
  }

  const Config& config_;
  RecordQueue queue_;
  boost::asio::io_context io_{1};
  bool restored_ = false;
  std::unique_ptr<rib::Store> store_;
  std::optional<rib::Engine> engine_;
  std::optional<EngineThread> engine_thread_;
  std::optional<CollectorReader> reader_;
  std::optional<sinks::SinkSet> sinks_;
  std::unique_ptr<sinks::HttpServer> http_;
  std::optional<Recorder> recorder_;
  std::optional<RecordingSink> recording_;
  std::unique_ptr<bgp::Speaker> speaker_;
};

}  // namespace

int run(const Config& config, const std::string&) {
  std::signal(SIGPIPE, SIG_IGN);
  Collector collector(config);
  const bool started = collector.start();
  if (started) collector.run();
  collector.stop();
  log().flush();
  return started ? 0 : 1;
}

}  // namespace lapwing::collector
