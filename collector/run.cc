#include "collector/run.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "bgp/speaker.h"
#include "collector/collector_reader.h"
#include "collector/control_service.h"
#include "collector/engine_thread.h"
#include "collector/log.h"
#include "collector/queues.h"
#include "collector/recorder.h"
#include "collector/removed_peers.h"
#include "collector/restore.h"
#include "collector/service.h"
#include "collector/setup.h"
#include "collector/supervisor.h"
#include "collector/update_tap.h"
#include "rib/engine.h"
#include "rib/store.h"
#include "sinks/http_server.h"
#include "sinks/sink_set.h"

namespace lapwing::collector {

namespace {

/// Records on their way to the engine; beyond it sockets are not read.
constexpr std::size_t kMaxQueuedOctets = 16u << 20;

std::int64_t monotonic_usec() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

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
  Collector(const Config& config, const std::string& path)
      : config_(config), path_(path), queue_(kMaxQueuedOctets) {}

  /// False when it cannot start; the log says why.
  bool start() {
    if (!open_store() || !add_sinks() || !start_engine()) return false;
    sinks_->start();
    return start_speaker() && start_http();
  }

  /// Returns after SIGTERM or SIGINT and an orderly end.
  void run() {
    boost::asio::signal_set signals(io_, SIGTERM, SIGINT);
    boost::asio::signal_set hangup(io_, SIGHUP);
    signals.async_wait([&](boost::system::error_code error, int signal) {
      if (error) return;
      log().notice("lapwing", "signal {}: ending", signal);
      notify_service_manager("STOPPING=1");
      hangup.cancel();
      speaker_->stop("Lapwing is stopping", [this] { io_.stop(); });
    });
    supervisor_.emplace(
        Supervisor::Parts{*reader_, store_->journal(), [this] { drop_removed(); },
                          [this] { return engine_->counters().changes.load(); },
                          [this] { return store_->pending(); }, detector_watch()},
        watchdog());
    supervisor_->start();
    wait_for_hangup(hangup);
    reader_->set_ready(true);
    notify_service_manager("READY=1");
    log().notice("lapwing", "{} is ready: {} neighbours, {} stored routes", kVersion,
                 config_.neighbors.size(), engine_->counters().routes.load());
    io_.run();
  }

  void stop() {
    if (reader_) reader_->set_ready(false);
    if (supervisor_) supervisor_->stop();
    if (http_) http_->stop();
    if (reader_) reader_->set_speaker(nullptr);
    speaker_.reset();
    if (recorder_) recorder_->stop();
    if (engine_thread_) engine_thread_->stop();
    if (store_) store_->stop();
    if (sinks_) sinks_->stop();  // they deliver the last events
    if (store_) store_->save_cursors();
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

  /// Before the engine can raise an event: a new sink misses none.
  bool add_sinks() {
    sinks_.emplace(store_->journal(), program_);
    std::vector<Diagnostic> diagnostics;
    for (const SettingsTable& table : config_.sinks) {
      Settings settings = table.settings;
      sinks_->add(table.name, settings);
      note_setting_errors(config_, table, settings.finish(), diagnostics);
    }
    return !has_errors(diagnostics) || report(diagnostics);
  }

  bool start_engine() {
    rib::EngineOptions options = engine_options(config_, false);
    options.on_limit = [this](const rib::LimitReport& report) { on_limit(report); };
    options.on_detector_failed = [](const std::string& detector, const std::string& error) {
      log().error("detector " + detector, "failed and is disabled: {}", error);
    };
    options.awaits = [this](std::string_view name) { return removed_.is_configured(name); };
    removed_.configure(config_);
    engine_.emplace(std::move(options), *store_);
    std::vector<Diagnostic> diagnostics;
    for (auto& detector : make_engine_detectors(config_, updates_, diagnostics))
      engine_->add_detector(std::move(detector));
    if (has_errors(diagnostics)) return report(diagnostics);
    Restore restore(*engine_);
    std::string error;
    const bool loaded = store_->load(restore, error);
    restore.finish();
    if (!loaded) {
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
    reader_.emplace(*engine_, *engine_thread_, queue_, *store_, kVersion);
    return true;
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
    control_.emplace(
        ControlService::Parts{*speaker_, *engine_thread_, *store_, *sinks_, removed_, updates_,
                              [this] {
                                return http_ ? http_->renew_certificate() : sinks::HttpRenewal();
                              }},
        config_, path_);
    return true;
  }

  // On the engine thread. The session is ended on the io thread, whose speaker may be gone by then.
  void on_limit(const rib::LimitReport& report) {
    const std::string matter = "peer " + report.peer;
    const std::string family = format_family(report.family);
    if (report.what == rib::LimitReport::What::kAttributes) {
      boost::asio::post(io_, [this, report] {
        if (speaker_) speaker_->stop_for_attributes(report.peer, report.limit);
      });
      return;
    }
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

  bool start_http() {
    if (config_.http.listen.empty()) return true;
    sinks::HttpOptions options;
    for (const HttpListen& listen : config_.http.listen)
      options.listen.push_back(format_http_listen(listen));
    options.token = config_.http.token;
    options.certificate = config_.http.certificate;
    options.key = config_.http.key;
    sinks::HttpContext context{*reader_,   store_->journal(),
                               program_,   [this] { return sinks_->status(); },
                               &*control_, &updates_};
    http_ = std::make_unique<sinks::HttpServer>(std::move(options), std::move(context));
    const std::optional<std::string> error = http_->start();
    if (!error) return true;
    log().error("http", "{}", *error);
    http_.reset();
    return false;
  }

  // Log rotation and reload have the same signal: files are opened anew, the configuration is read.
  void wait_for_hangup(boost::asio::signal_set& signal) {
    signal.async_wait([this, &signal](boost::system::error_code error, int) {
      if (error) return;
      sinks_->reopen();
      supervisor_->post([this] {
        notify_service_manager(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_usec()));
        control_->reload();
        notify_service_manager("READY=1");
      });
      wait_for_hangup(signal);
    });
  }

  void drop_removed() {
    std::vector<std::string> dropped;
    engine_thread_->run([&](rib::Engine& engine) { dropped = removed_.drop(engine); },
                        std::chrono::milliseconds(500));
    for (const std::string& name : dropped)
      log().notice("config", "{} left the configuration; its routes are dropped", name);
  }

  DetectorWatch::Parts detector_watch() {
    return {[this](auto answer) {
              queue_.post(
                  [this, answer = std::move(answer)] { answer(engine_->detector_summaries()); });
            },
            [this] { return engine_->running_detector(); },
            [](const std::string& detector, const std::string& text) {
              log().warning("detector " + detector, "{}", text);
            }};
  }

  Watchdog watchdog() {
    Watchdog dog;
    dog.watch("io", [this](auto answer) { boost::asio::post(io_, std::move(answer)); });
    dog.watch("sinks", [this](auto answer) { sinks_->post(std::move(answer)); });
    if (http_) dog.watch("http", [this](auto answer) { http_->post(std::move(answer)); });
    // The engine waits for the store where the disk is slow; the store moves, or has nothing to do,
    // or tries again, or the database is busy making room.
    const auto engine_answered = std::make_shared<std::atomic<bool>>(true);
    dog.watch_progress("engine or store", [this, engine_answered, durable = std::uint64_t{0},
                                           errors = std::uint64_t{0}]() mutable {
      const std::uint64_t durable_now = store_->durable_sequence();
      const std::uint64_t errors_now = store_->error_count();
      const bool moved = std::exchange(durable, durable_now) != durable_now ||
                         std::exchange(errors, errors_now) != errors_now;
      const bool store_alive =
          moved || store_->pending() == 0 || store_->measures().compactions_running != 0;
      const bool engine_alive = engine_answered->exchange(false);
      if (engine_alive) queue_.post([engine_answered] { *engine_answered = true; });
      return store_alive && (engine_alive || moved);
    });
    return dog;
  }

  static bool report(const std::vector<Diagnostic>& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics)
      log().error("config", "{}", format_diagnostic(diagnostic));
    return false;
  }

  const Config config_;  // of the start
  const std::string path_;
  const sinks::Program program_{"lapwing", kVersion};
  RecordQueue queue_;
  UpdateRing updates_;
  RemovedPeers removed_;
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
  std::optional<ControlService> control_;
  std::optional<Supervisor> supervisor_;
};

}  // namespace

int run(const Config& config, const std::string& config_path) {
  std::signal(SIGPIPE, SIG_IGN);
  log().set_level(config.log_level);
  Collector collector(config, config_path);
  const bool started = collector.start();
  if (started) collector.run();
  collector.stop();
  log().flush();
  return started ? 0 : 1;
}

}  // namespace lapwing::collector
