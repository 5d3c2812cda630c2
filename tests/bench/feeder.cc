// A feeder for benchmarks: N neighbours, each with a full table, then churn, then withdrawal of
// all.
//
// bench_feeder --port PORT [--target 127.0.0.1] [--neighbors 1] [--ipv4 1000000] [--ipv6 200000]
//              [--churn 1000000] [--seed 1]
//
// Neighbour i speaks from 127.1.0.(i + 1) as AS 64601 + i, with 4-octet ASNs and both families.
// Everything is made before the first message, from the seed alone. The table: prefix lengths as
// they are in the Internet, about 0.19 attribute sets a route, as many NLRI in an UPDATE as share a
// set. Churn: UPDATEs with another way to the same origin for one to three prefixes, and
// withdrawals that are taken back soon; UPDATE i comes from neighbour i modulo N, and in the end
// each neighbour withdraws kMarks prefixes, by which it can be seen that all has arrived.
//
// Commands on standard input, one a line: load, churn, withdraw, quit. Answers on standard output:
// "up N"; "sent PHASE SECONDS ROUTES" once the last octet was given to the kernel, with the number
// of routes that the receiver must hold then. It speaks to loopback addresses only.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kMarks = 500;
constexpr std::uint32_t kFirstAs = 64601;
constexpr std::size_t kMaxMessage = 4096;
constexpr std::size_t kHeader = 19;

struct Arguments {
  std::string target = "127.0.0.1";
  unsigned port = 0;
  unsigned neighbors = 1;
  std::uint32_t ipv4 = 1'000'000;
  std::uint32_t ipv6 = 200'000;
  std::uint32_t churn = 1'000'000;
  std::uint64_t seed = 1;
};

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "bench_feeder: %s\n", text.c_str());
  std::exit(2);
}

void put16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put32(Bytes& out, std::uint32_t value) {
  put16(out, value >> 16);
  put16(out, value & 0xffff);
}

struct Route {
  std::uint64_t high = 0;  // the first eight octets of the address
  std::uint8_t length = 0;
  bool ipv6 = false;
};

void put_nlri(Bytes& out, const Route& route) {
  out.push_back(route.length);
  for (unsigned i = 0; i < (route.length + 7u) / 8; ++i)
    out.push_back(static_cast<std::uint8_t>(route.high >> (56 - 8 * i)));
}

/// Messages one after the other, and where in them the neighbour's own ASN stands.
struct Stream {
  Bytes octets;
  std::vector<std::size_t> own_as;
  std::vector<std::size_t> messages;  // where each begins

  void begin() {
    messages.push_back(octets.size());
    octets.insert(octets.end(), 16, 0xff);
    put16(octets, 0);
    octets.push_back(2);
  }
  void end() {
    const std::size_t at = messages.back(), size = octets.size() - at;
    octets[at + 16] = static_cast<std::uint8_t>(size >> 8);
    octets[at + 17] = static_cast<std::uint8_t>(size);
  }
};

class Tables {
 public:
  explicit Tables(const Arguments& arguments) : arguments_(arguments), random_(arguments.seed) {
    make_routes();
    make_load();
    make_churn();
    make_withdrawal();
  }
  Stream load, withdrawal;
  std::vector<Stream> churn;  // of each neighbour
  std::size_t routes() const { return routes_.size(); }

 private:
  struct Set {
    std::vector<std::uint32_t> path;  // after the neighbour's own
    Bytes others;                     // attributes behind the path (and NEXT_HOP)
  };
  struct Group {
    std::uint32_t first = 0, count = 0;  // in order_
    bool ipv6 = false;
  };

  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }

  void make_routes() {
    // Shares of a thousand.
    const std::vector<std::pair<unsigned, unsigned>> lengths4{
        {24, 615}, {23, 100}, {22, 115}, {21, 50}, {20, 42}, {19, 28}, {18, 15},
        {17, 9},   {16, 18},  {15, 3},   {14, 2},  {13, 1},  {12, 1},  {11, 1}};
    const std::vector<std::pair<unsigned, unsigned>> lengths6{{48, 460}, {44, 100}, {32, 120},
                                                              {40, 100}, {36, 50},  {29, 30},
                                                              {46, 50},  {47, 40},  {45, 50}};
    for (const bool ipv6 : {false, true}) {
      std::unordered_set<std::uint64_t> seen;
      const auto& lengths = ipv6 ? lengths6 : lengths4;
      const std::uint32_t count = ipv6 ? arguments_.ipv6 : arguments_.ipv4;
      while (seen.size() < count) {
        unsigned share = below(1000), length = lengths[0].first;
        for (const auto& [l, s] : lengths) {
          length = l;
          if (share < s) break;
          share -= s;
        }
        std::uint64_t high = random_();
        if (ipv6)
          high = (high & 0x0fffffffffffffff) | 0x2000000000000000;
        else
          high = (high % (std::uint64_t{0xdf - 1} << 56)) + (std::uint64_t{1} << 56);
        if (!ipv6 && high >> 56 == 127) continue;
        high &= ~std::uint64_t{0} << (64 - length);
        if (seen.insert(high | length).second)
          routes_.push_back({high, static_cast<std::uint8_t>(length), ipv6});
      }
    }
  }

  Set make_set() {
    Set set;
    const unsigned hops = 2 + below(4);
    for (unsigned i = 0; i < hops; ++i) set.path.push_back(1000 + below(500));
    const std::uint32_t origin = below(10) < 6 ? 1500 + below(60000) : 196608 + below(200000);
    for (unsigned n = below(10) == 0 ? 3 : 1; n != 0; --n) set.path.push_back(origin);
    Bytes& out = set.others;
    if (below(10) < 3) {
      out.insert(out.end(), {0x80, 4, 4});
      put32(out, below(200));
    }
    if (below(20) == 0) {
      out.insert(out.end(), {0xc0, 7, 8});
      put32(out, origin);
      put32(out, 0xc0000200 + below(256));
    }
    if (below(10) < 7) {
      const unsigned count = 1 + below(8);
      out.insert(out.end(), {0xc0, 8, static_cast<std::uint8_t>(4 * count)});
      for (unsigned i = 0; i < count; ++i) put32(out, (1000 + below(500)) << 16 | below(3000));
    }
    if (below(10) < 2) {
      out.insert(out.end(), {0xc0, 32, 24});
      for (unsigned i = 0; i < 6; ++i) put32(out, i % 3 == 0 ? 1000 + below(500) : below(3000));
    }
    return set;
  }

  static void put_path(Stream& out, const Set& set) {
    Bytes& o = out.octets;
    o.insert(o.end(), {0x40, 1, 1, 0, 0x50, 2});
    put16(o, 2 + 4 * (set.path.size() + 1));
    o.push_back(2);
    o.push_back(static_cast<std::uint8_t>(set.path.size() + 1));
    out.own_as.push_back(o.size());
    put32(o, kFirstAs);
    for (const std::uint32_t as : set.path) put32(o, as);
  }

  /// UPDATEs with this set for these routes of one family.
  void announce(Stream& out, const Set& set, const std::uint32_t* first, std::uint32_t count) {
    for (std::uint32_t done = 0; done < count;) {
      const bool ipv6 = routes_[first[done]].ipv6;
      const std::size_t fixed =
          kHeader + 4 + 10 + 4 * (set.path.size() + 1) + set.others.size() + 40;
      Bytes nlri;
      while (done < count && fixed + nlri.size() + 17 < kMaxMessage)
        put_nlri(nlri, routes_[first[done++]]);
      out.begin();
      put16(out.octets, 0);
      const std::size_t size_at = out.octets.size();
      put16(out.octets, 0);
      put_path(out, set);
      Bytes& o = out.octets;
      if (!ipv6) o.insert(o.end(), {0x40, 3, 4, 192, 0, 2, 1});
      o.insert(o.end(), set.others.begin(), set.others.end());
      if (ipv6) {
        o.insert(o.end(), {0x90, 14});
        put16(o, 5 + 16 + nlri.size());
        o.insert(o.end(),
                 {0, 2, 1, 16, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0});
        o.insert(o.end(), nlri.begin(), nlri.end());
      }
      const std::size_t attributes = o.size() - size_at - 2;
      o[size_at] = static_cast<std::uint8_t>(attributes >> 8);
      o[size_at + 1] = static_cast<std::uint8_t>(attributes);
      if (!ipv6) o.insert(o.end(), nlri.begin(), nlri.end());
      out.end();
    }
  }

  void withdraw(Stream& out, const std::uint32_t* first, std::uint32_t count) {
    for (std::uint32_t done = 0; done < count;) {
      const bool ipv6 = routes_[first[done]].ipv6;
      Bytes nlri;
      while (done < count && routes_[first[done]].ipv6 == ipv6 && nlri.size() + 60 < kMaxMessage)
        put_nlri(nlri, routes_[first[done++]]);
      out.begin();
      Bytes& o = out.octets;
      if (ipv6) {
        put16(o, 0);
        put16(o, 4 + 3 + nlri.size());
        o.insert(o.end(), {0x90, 15});
        put16(o, 3 + nlri.size());
        o.insert(o.end(), {0, 2, 1});
        o.insert(o.end(), nlri.begin(), nlri.end());
      } else {
        put16(o, nlri.size());
        o.insert(o.end(), nlri.begin(), nlri.end());
        put16(o, 0);
      }
      out.end();
    }
  }

  void make_load() {
    for (const bool ipv6 : {false, true}) {
      const auto begin = static_cast<std::uint32_t>(order_.size());
      for (std::uint32_t i = 0; i < routes_.size(); ++i)
        if (routes_[i].ipv6 == ipv6) order_.push_back(i);
      std::shuffle(order_.begin() + begin, order_.end(), random_);
      for (std::uint32_t at = begin; at < order_.size();) {
        const double u = static_cast<double>(random_() >> 11) * 0x1p-53;
        const auto drawn = static_cast<std::uint32_t>(std::min(5000.0, std::pow(1 - u, -1 / 1.22)));
        const auto count = std::min(drawn, static_cast<std::uint32_t>(order_.size()) - at);
        groups_.push_back({at, count, ipv6});
        at += count;
      }
    }
    std::shuffle(groups_.begin(), groups_.end(), random_);
    for (const Group& group : groups_) {
      sets_.push_back(make_set());
      announce(load, sets_.back(), &order_[group.first], group.count);
    }
    for (const bool ipv6 : {false, true}) {  // End-of-RIB
      load.begin();
      put16(load.octets, 0);
      put16(load.octets, ipv6 ? 6 : 0);
      if (ipv6) load.octets.insert(load.octets.end(), {0x80, 15, 3, 0, 2, 1});
      load.end();
    }
    std::fprintf(stderr, "table: %zu routes, %zu attribute sets, %zu UPDATEs, %.1f MB\n",
                 routes_.size(), sets_.size(), load.messages.size(),
                 static_cast<double>(load.octets.size()) * 1e-6);
  }

  void make_churn() {
    churn.resize(arguments_.neighbors);
    // The marks are left alone until the end.
    const auto marks = static_cast<std::uint32_t>(std::min<std::size_t>(kMarks, order_.size() / 2));
    const std::uint32_t movable = static_cast<std::uint32_t>(order_.size()) - marks;
    struct Gone {
      std::uint32_t at, since;  // in order_
    };
    std::vector<std::uint32_t> group_of(order_.size());
    for (std::uint32_t g = 0; g < groups_.size(); ++g)
      std::fill_n(group_of.begin() + groups_[g].first, groups_[g].count, g);
    // Another way to the same upstream and origin.
    const auto moved = [&](std::uint32_t at) {
      Set set = sets_[group_of[at]];
      set.path[0] = 1000 + below(500);
      return set;
    };
    std::vector<std::vector<Gone>> gone(arguments_.neighbors);
    for (std::uint32_t n = 0; n < arguments_.churn; ++n) {
      const unsigned who = n % arguments_.neighbors;
      Stream& out = churn[who];
      if (!gone[who].empty() && gone[who].front().since + 20 * arguments_.neighbors < n) {
        const std::uint32_t back = gone[who].front().at;
        announce(out, moved(back), &order_[back], 1);
        gone[who].erase(gone[who].begin());
        continue;
      }
      const std::uint32_t at = marks + below(movable - 3);
      if (below(33) == 0) {
        withdraw(out, &order_[at], 1);
        gone[who].push_back({at, n});
        continue;
      }
      std::uint32_t count = 1;
      while (count < 3 && below(3) == 0 && group_of[at + count] == group_of[at]) ++count;
      announce(out, moved(at), &order_[at], count);
    }
    std::size_t octets = 0;
    for (unsigned who = 0; who < arguments_.neighbors; ++who) {
      for (const Gone& g : gone[who]) announce(churn[who], moved(g.at), &order_[g.at], 1);
      withdraw(churn[who], order_.data(), marks);
      octets += churn[who].octets.size();
    }
    marks_ = marks;
    std::fprintf(stderr, "churn: %u UPDATEs, %.1f MB\n", arguments_.churn,
                 static_cast<double>(octets) * 1e-6);
  }

  void make_withdrawal() {
    std::vector<std::uint32_t> all(order_.begin(), order_.end());
    std::shuffle(all.begin(), all.end(), random_);
    std::stable_partition(all.begin(), all.end(),
                          [this](std::uint32_t i) { return !routes_[i].ipv6; });
    withdraw(withdrawal, all.data(), static_cast<std::uint32_t>(all.size()));
  }

 public:
  std::uint32_t marks() const { return marks_; }

 private:
  const Arguments arguments_;
  std::mt19937_64 random_;
  std::vector<Route> routes_;
  std::vector<std::uint32_t> order_;
  std::vector<Group> groups_;
  std::vector<Set> sets_;  // by group
  std::uint32_t marks_ = 0;
};

class Neighbor {
 public:
  Neighbor(const Arguments& arguments, unsigned number) : as_(kFirstAs + number) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in own{}, target{};
    own.sin_family = target.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(0x7f010001 + number);
    target.sin_port = htons(static_cast<std::uint16_t>(arguments.port));
    if (::inet_pton(AF_INET, arguments.target.c_str(), &target.sin_addr) != 1 ||
        ntohl(target.sin_addr.s_addr) >> 24 != 127)
      fail("the target must be a loopback address");
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
        ::connect(fd_, reinterpret_cast<sockaddr*>(&target), sizeof target) != 0)
      fail(std::string("cannot connect: ") + std::strerror(errno));
    open(number);
    keeper_ = std::thread([this] { keep(); });
  }
  ~Neighbor() {
    ended_ = true;
    ::shutdown(fd_, SHUT_RDWR);
    keeper_.join();
    ::close(fd_);
  }
  Neighbor(const Neighbor&) = delete;
  Neighbor& operator=(const Neighbor&) = delete;

  bool up() const { return keepalives_ > 0; }
  void send(const Stream& stream) {
    constexpr std::size_t kChunk = 256 << 10;
    std::size_t next_as = 0, next_message = 0;
    Bytes chunk;
    for (std::size_t at = 0; at < stream.octets.size();) {
      // Whole messages, so that a KEEPALIVE fits in between.
      std::size_t end = at;
      while (next_message < stream.messages.size() && end - at < kChunk) {
        ++next_message;
        end = next_message < stream.messages.size() ? stream.messages[next_message]
                                                    : stream.octets.size();
      }
      chunk.assign(stream.octets.begin() + static_cast<std::ptrdiff_t>(at),
                   stream.octets.begin() + static_cast<std::ptrdiff_t>(end));
      for (; next_as < stream.own_as.size() && stream.own_as[next_as] < end; ++next_as)
        for (unsigned i = 0; i < 4; ++i)
          chunk[stream.own_as[next_as] - at + i] = static_cast<std::uint8_t>(as_ >> (24 - 8 * i));
      write(chunk);
      at = end;
    }
  }

 private:
  void write(const Bytes& octets) {
    const std::lock_guard lock(mutex_);
    for (std::size_t at = 0; at < octets.size();) {
      const ssize_t n = ::send(fd_, octets.data() + at, octets.size() - at, MSG_NOSIGNAL);
      if (n <= 0) fail(std::string("the session ended: ") + std::strerror(errno));
      at += static_cast<std::size_t>(n);
    }
  }
  void open(unsigned number) {
    Bytes capabilities{1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4};
    put32(capabilities, as_);
    Bytes out(16, 0xff);
    put16(out, kHeader + 10 + 2 + capabilities.size());
    out.insert(out.end(), {1, 4});
    put16(out, as_);
    put16(out, 240);
    put32(out, 0x0a000001 + number);
    out.push_back(static_cast<std::uint8_t>(2 + capabilities.size()));
    out.insert(out.end(), {2, static_cast<std::uint8_t>(capabilities.size())});
    out.insert(out.end(), capabilities.begin(), capabilities.end());
    write(out);
  }
  static Bytes keepalive() {
    Bytes out(16, 0xff);
    out.insert(out.end(), {0, 19, 4});
    return out;
  }
  // Reads what comes, which is little, and answers.
  void keep() {
    Bytes pending;
    auto last = Clock::now();
    while (!ended_) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, 200) > 0) {
        std::uint8_t buffer[4096];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
        if (n <= 0 && ended_) return;
        if (n <= 0) fail("the receiver closed the session");
        pending.insert(pending.end(), buffer, buffer + n);
        while (pending.size() >= kHeader) {
          const std::size_t size = pending[16] * 256u + pending[17];
          if (pending.size() < size) break;
          if (pending[18] == 3) fail("the receiver sent NOTIFICATION");
          if (pending[18] == 1) write(keepalive());
          if (pending[18] == 4) ++keepalives_;
          pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(size));
        }
      }
      if (up() && Clock::now() - last > std::chrono::seconds(20)) {
        last = Clock::now();
        write(keepalive());
      }
    }
  }

  const std::uint32_t as_;
  int fd_ = -1;
  std::mutex mutex_;  // of writing
  std::atomic<bool> ended_{false};
  std::atomic<unsigned> keepalives_{0};
  std::thread keeper_;
};

Arguments read_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    const auto number = [&] { return static_cast<std::uint32_t>(std::stoul(value)); };
    if (name == "--target")
      out.target = value;
    else if (name == "--port")
      out.port = number();
    else if (name == "--neighbors")
      out.neighbors = number();
    else if (name == "--ipv4")
      out.ipv4 = number();
    else if (name == "--ipv6")
      out.ipv6 = number();
    else if (name == "--churn")
      out.churn = number();
    else if (name == "--seed")
      out.seed = number();
    else
      fail("what is " + name + "?");
  }
  if (out.port == 0 || out.neighbors == 0 || out.neighbors > 250)
    fail("--port, --neighbors 1 to 250");
  if (out.ipv4 < 2000) fail("--ipv4 2000 or more");
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = read_arguments(argc, argv);
  const Tables tables(arguments);
  std::vector<std::unique_ptr<Neighbor>> neighbors;
  for (unsigned i = 0; i < arguments.neighbors; ++i)
    neighbors.push_back(std::make_unique<Neighbor>(arguments, i));
  for (const auto& neighbor : neighbors)
    while (!neighbor->up()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  std::printf("up %u\n", arguments.neighbors);
  std::fflush(stdout);
  std::string command;
  while (std::getline(std::cin, command) && command != "quit") {
    const auto begin = Clock::now();
    std::vector<std::thread> senders;
    std::size_t routes = tables.routes();
    for (unsigned i = 0; i < arguments.neighbors; ++i) {
      const Stream* stream = &tables.load;
      if (command == "churn") stream = &tables.churn[i];
      if (command == "withdraw") stream = &tables.withdrawal;
      senders.emplace_back([&, i, stream] { neighbors[i]->send(*stream); });
    }
    for (std::thread& sender : senders) sender.join();
    if (command == "churn") routes -= tables.marks();
    if (command == "withdraw") routes = 0;
    std::printf("sent %s %.3f %zu\n", command.c_str(),
                std::chrono::duration<double>(Clock::now() - begin).count(),
                routes * arguments.neighbors);
    std::fflush(stdout);
  }
  return 0;
}
