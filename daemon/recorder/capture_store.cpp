// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/capture_store.hpp"

#include "daemon/file_output.hpp"
#include "daemon/log.hpp"
#include "daemon/recorder/attempt_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace ikefrag {

namespace {

constexpr std::size_t max_waiting = 16;
constexpr std::size_t max_file_bytes = std::size_t{64} << 20;
constexpr std::string_view extension = ".pcapng";
constexpr std::string_view time_shape = "ddddddddTdddddd.ddddddZ";

bool has_shape(std::string_view text, std::string_view shape) {
    return std::ranges::equal(text, shape, [](char c, char wanted) {
        return wanted == 'd' ? c >= '0' && c <= '9' : c == wanted;
    });
}

/// The folder itself, opened without following a link; -1 with errno set.
class Folder {
public:
    explicit Folder(const std::string& path)
        : descriptor_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {}
    ~Folder() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    [[nodiscard]] std::vector<CaptureStore::File> list() const {
        std::vector<CaptureStore::File> files;
        const int copy = ::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
        if (entries == nullptr) {
            if (copy >= 0) ::close(copy);
            return files;
        }
        while (const auto* entry = ::readdir(entries)) {
            struct stat status {};
            if (!parse_capture_name(entry->d_name) ||
                ::fstatat(descriptor_, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
                !S_ISREG(status.st_mode))
                continue;
            files.push_back({entry->d_name, static_cast<std::uint64_t>(status.st_size)});
        }
        ::closedir(entries);
        std::ranges::sort(files, std::ranges::greater(), &CaptureStore::File::name);
        return files;
    }
    void remove(const std::string& name) const { (void)::unlinkat(descriptor_, name.c_str(), 0); }

private:
    int descriptor_;
};

/// Names begin with their time: older ones sort before this one.
std::string oldest_name_kept(std::uint32_t keep_days) {
    const auto time = std::chrono::system_clock::now() - std::chrono::hours(24) * keep_days;
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", &parts)};
}

} // namespace

std::optional<CaptureName> parse_capture_name(const std::string& name) {
    if (!name.ends_with(extension) || name.find('/') != std::string::npos) return std::nullopt;
    const auto stem = std::string_view(name).substr(0, name.size() - extension.size());
    const auto first = stem.find('_');
    const auto second = stem.find('_', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto third = stem.find('_', second + 1);
    if (third == std::string_view::npos || !has_shape(stem.substr(0, first), time_shape))
        return std::nullopt;
    CaptureName parsed;
    parsed.time = std::string(stem.substr(0, first));
    for (const std::size_t at : {4u, 7u}) parsed.time.insert(at, "-");
    for (const std::size_t at : {13u, 16u}) parsed.time.insert(at, ":");
    parsed.client = std::string(stem.substr(first + 1, second - first - 1));
    std::ranges::replace(parsed.client, '-', ':');
    parsed.initiator_spi = std::string(stem.substr(second + 1, third - second - 1));
    parsed.diagnosis = std::string(stem.substr(third + 1));
    if (!parse_address(parsed.client)) return std::nullopt;
    return parsed;
}

class CaptureStore::State {
public:
    State(std::string path, Limits bounds)
        : folder(std::move(path)), limits_(bounds), thread_([this] { run(); }) {}

    ~State() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    void set_limits(Limits limits) {
        const std::lock_guard lock(mutex_);
        limits_ = limits;
    }

    void add(std::string name, std::string content) {
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.size() >= max_waiting) {
                counters.lost.add();
                return;
            }
            waiting_.push_back({std::move(name), std::move(content)});
        }
        changed_.notify_one();
    }

    void tidy() {
        {
            const std::lock_guard lock(mutex_);
            tidy_ = true;
        }
        changed_.notify_one();
    }

    const std::string folder;
    Counters counters;

private:
    struct Waiting {
        std::string name;
        std::string content;
    };

    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ending_ || tidy_ || !waiting_.empty(); });
            if (waiting_.empty() && !tidy_) return;
            std::optional<Waiting> next;
            if (!waiting_.empty()) {
                next = std::move(waiting_.front());
                waiting_.pop_front();
            }
            tidy_ = false;
            const auto limits = limits_;
            lock.unlock();
            if (next) put(*next);
            clear(limits);
            lock.lock();
        }
    }

    void put(const Waiting& file) {
        try {
            if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
                throw std::system_error(errno, std::generic_category(), "make " + folder);
            if (const Folder place(folder); place.descriptor() < 0)
                throw std::system_error(errno, std::generic_category(), folder);
            FileOutput output(folder + '/' + file.name);
            output.write(file.content);
            output.commit();
            counters.written.add();
            complained_ = false;
            log_info("failed handshake captured: " + folder + '/' + file.name);
        } catch (const std::system_error& error) {
            counters.failures.add();
            if (!complained_)
                log_error(std::string("a capture cannot be written, and is lost: ") + error.what());
            complained_ = true;
        }
    }

    void clear(const Limits& limits) const {
        const Folder place(folder);
        if (place.descriptor() < 0) return;
        const auto oldest = oldest_name_kept(limits.keep_days);
        std::size_t kept = 0;
        for (const auto& file : place.list())
            if (++kept > limits.files || file.name < oldest) place.remove(file.name);
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Waiting> waiting_;
    Limits limits_;
    bool tidy_ = false;
    bool ending_ = false;
    bool complained_ = false; ///< the thread's own
    std::thread thread_;
};

CaptureStore::CaptureStore(std::string folder, Limits limits)
    : state_(std::make_unique<State>(std::move(folder), limits)) {}
CaptureStore::~CaptureStore() = default;

void CaptureStore::set_limits(Limits limits) { state_->set_limits(limits); }

void CaptureStore::add(std::string name, std::string content) {
    state_->add(std::move(name), std::move(content));
}

void CaptureStore::tidy() { state_->tidy(); }

std::vector<CaptureStore::File> CaptureStore::list() const {
    const Folder place(state_->folder);
    return place.descriptor() < 0 ? std::vector<File>() : place.list();
}

std::optional<std::string> CaptureStore::read(const std::string& name) const {
    if (!parse_capture_name(name)) return std::nullopt;
    const Folder place(state_->folder);
    const int file =
        ::openat(place.descriptor(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::string content;
    std::string piece(std::size_t{1} << 16, '\0');
    ssize_t got = 0;
    while (content.size() <= max_file_bytes && (got = ::read(file, piece.data(), piece.size())) > 0)
        content.append(piece, 0, static_cast<std::size_t>(got));
    ::close(file);
    if (got != 0) return std::nullopt;
    return content;
}

std::size_t CaptureStore::forget(const IpAddress& client) {
    const Folder place(state_->folder);
    if (place.descriptor() < 0) return 0;
    const auto masked = masked_address(client);
    std::size_t count = 0;
    for (const auto& file : place.list()) {
        const auto name = parse_capture_name(file.name);
        const auto named = name ? parse_address(name->client) : std::nullopt;
        if (named != client && named != masked) continue;
        place.remove(file.name);
        ++count;
    }
    return count;
}

const CaptureStore::Counters& CaptureStore::counters() const noexcept { return state_->counters; }
const std::string& CaptureStore::folder() const noexcept { return state_->folder; }

} // namespace ikefrag
