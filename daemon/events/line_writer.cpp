// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/line_writer.hpp"

#include "daemon/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

namespace ikefrag {
namespace {

constexpr std::size_t max_waiting = 4096;
constexpr int stderr_descriptor = 2;

bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool send_to_journal(std::vector<std::string>& fields) {
    std::vector<iovec> parts;
    parts.reserve(fields.size());
    for (auto& field : fields) parts.push_back({field.data(), field.size()});
    return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

} // namespace

class LineWriter::State {
public:
    State(std::string file, Journal journal)
        : file_(std::move(file)), journal_(std::move(journal)), thread_([this] { run(); }) {}

    ~State() {
        {
            const std::lock_guard lock(mutex_);
            ending_ = true;
        }
        changed_.notify_one();
        thread_.join();
        close_file();
    }

    void write(EventLine line) {
        {
            const std::lock_guard lock(mutex_);
            if (waiting_.size() >= max_waiting) {
                counters.lost.add();
                return;
            }
            waiting_.push_back(std::move(line));
        }
        changed_.notify_one();
    }

    void reopen(std::string file) {
        const std::lock_guard lock(mutex_);
        file_ = std::move(file);
        reopen_ = true;
    }

    Counters counters;

private:
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            std::deque<EventLine> batch;
            batch.swap(waiting_);
            const auto file = file_;
            if (reopen_) close_file();
            reopen_ = false;
            lock.unlock();
            for (auto& line : batch) (put(file, line) ? counters.written : counters.failures).add();
            lock.lock();
        }
    }

    /// The file first: it does not wait for a journal that hangs.
    bool put(const std::string& file, EventLine& line) {
        const bool to_file = file != "stderr" || !journal_;
        const bool in_file = !to_file || put_line(file, line);
        return (!journal_ || journal_(line.fields)) && in_file;
    }

    bool put_line(const std::string& file, EventLine& line) {
        line.line += '\n';
        if (file == "stderr") return write_all(stderr_descriptor, line.line);
        if (descriptor_ < 0 && !open_file(file)) return false;
        if (write_all(descriptor_, line.line)) {
            tell_once_.clear();
            return true;
        }
        return tell("write", file);
    }

    bool open_file(const std::string& file) {
        descriptor_ = ::open(file.c_str(),
                             O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                             0640);
        if (descriptor_ < 0) return tell("open", file);
        struct stat status {};
        if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) return true;
        close_file();
        errno = EINVAL;
        return tell("open (not a regular file)", file);
    }

    /// Says what went wrong once, not with every line.
    bool tell(const char* step, const std::string& file) {
        auto text = std::string("cannot ") + step + " event file " + file + ": " +
                    std::strerror(errno) + "; events are lost until it can be written";
        if (text != tell_once_) log_error(text);
        tell_once_ = std::move(text);
        return false;
    }

    void close_file() {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<EventLine> waiting_;
    std::string file_;
    bool reopen_ = false;
    bool ending_ = false;
    // The thread's own:
    const Journal journal_;
    int descriptor_ = -1;
    std::string tell_once_;
    std::thread thread_;
};

LineWriter::Journal LineWriter::journal_of_stderr() {
    return stderr_is_journal() ? Journal(send_to_journal) : Journal();
}

LineWriter::LineWriter(std::string file, Journal journal)
    : state_(std::make_unique<State>(std::move(file), std::move(journal))) {}
LineWriter::~LineWriter() = default;

void LineWriter::write(EventLine line) { state_->write(std::move(line)); }

void LineWriter::reopen(std::string file) { state_->reopen(std::move(file)); }

const LineWriter::Counters& LineWriter::counters() const noexcept { return state_->counters; }

} // namespace ikefrag
