#include "crew.hpp"

#include <system_error>
#include <utility>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace ride {
namespace {

constexpr int SPINS = 2000;  // some 50 microseconds: a front's symbols take less

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#endif
}

}  // namespace

Crew::Crew(int workers) {
    try {
        for (int worker = 1; worker < workers; worker++)
            threads_.emplace_back([this, worker] { help(worker); });
    } catch (const std::system_error&) {
    }
}

Crew::~Crew() {
    {
        std::lock_guard<std::mutex> held(mutex_);
        ended_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void Crew::run(int count, const Job& job) {
    if (threads_.empty() || count < 2) {
        for (int block = 0; block < count; block++)
            job(block, 0);
        return;
    }
    job_ = &job, done_.store(0, std::memory_order_relaxed);
    left_ = Left{0, count};
    if (asleep_) {
        std::lock_guard<std::mutex> held(mutex_);
        wake_.notify_all();
    }
    take(0);
    for (int spins = 0; done_.load(std::memory_order_acquire) < count; spins++)
        if (spins < SPINS)
            pause();
        else
            std::this_thread::yield();
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

bool Crew::any_left() const {
    const Left left = left_;
    return left.first < left.last;
}

void Crew::take(int worker) {
    Left left = left_;
    while (left.first < left.last) {
        const int block = worker ? left.last - 1 : left.first;
        const Left rest = worker ? Left{left.first, left.last - 1} : Left{left.first + 1, left.last};
        if (!left_.compare_exchange_weak(left, rest)) continue;
        try {
            (*job_)(block, worker);
        } catch (...) {
            std::lock_guard<std::mutex> held(mutex_);
            if (!failure_) failure_ = std::current_exception();
        }
        done_.fetch_add(1, std::memory_order_release);
        left = left_;
    }
}

void Crew::help(int worker) {
    for (int spins = 0; !ended_.load(std::memory_order_relaxed); spins++) {
        if (any_left()) {
            take(worker);
            spins = 0;
        } else if (spins < SPINS) {
            pause();
        } else {
            std::unique_lock<std::mutex> held(mutex_);
            asleep_++;
            wake_.wait(held, [this] { return ended_ || any_left(); });
            asleep_--;
            spins = 0;
        }
    }
}

}  // namespace ride
