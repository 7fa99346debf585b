#include "agent/journal_writer.h"

#include <utility>

#include "common/check.h"

namespace berth {

JournalWriter::JournalWriter(Journal& journal, EventLoop& loop)
    : journal_(journal), loop_(loop), thread_([this] { Run(); }) {}

JournalWriter::~JournalWriter() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void JournalWriter::Append(const std::vector<JournalRecord>& records,
                           std::optional<AgentState> whole, Done done) {
  absl::MutexLock lock(&mu_);
  BERTH_CHECK(!order_.has_value());
  order_ = Order{&records, std::move(whole), std::move(done)};
}

void JournalWriter::Run() {
  while (true) {
    std::optional<Order> order;
    {
      absl::MutexLock lock(&mu_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || order_.has_value();
      };
      mu_.Await(absl::Condition(&ready));
      if (!order_.has_value()) {
        return;
      }
      order.swap(order_);
    }
    absl::Status status = journal_.Append(*order->records, true);
    if (status.ok() && order->whole.has_value()) {
      status = journal_.Compact(*order->whole);
    }
    loop_.Post([done = std::move(order->done), status = std::move(status)] { done(status); });
  }
}

}  // namespace berth
