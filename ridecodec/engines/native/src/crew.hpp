// Threads that share the blocks of a front. The one that asks begins with the first, the others with the last, so that
// most blocks stay in one processor's cache. It waits for nobody who has not begun: what a busy machine costs is no
// more than a block.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ride {

class Crew {
  public:
    using Job = std::function<void(int block, int worker)>;

    // `workers` with the thread that makes it, which is worker 0; fewer where the system gives no more threads.
    explicit Crew(int workers);
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    // Do a job for blocks 0 to `count`, in any order; throws what one of them throws, when all have ended.
    void run(int count, const Job& job);

  private:
    struct Left {  // blocks that nobody has taken, from the first on below the last
        int32_t first, last;
    };
    const Job* job_ = nullptr;
    alignas(64) std::atomic<Left> left_{{0, 0}};  // whoever takes one may read the job
    alignas(64) std::atomic<int> done_{0};
    std::atomic<int> asleep_{0};
    std::atomic<bool> ended_{false};
    std::mutex mutex_;
    std::condition_variable wake_;
    std::exception_ptr failure_;  // the first
    std::vector<std::thread> threads_;

    bool any_left() const;
    void take(int worker);
    void help(int worker);
};

}  // namespace ride
