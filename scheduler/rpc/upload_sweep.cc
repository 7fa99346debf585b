#include "scheduler/rpc/upload_sweep.h"

#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace berth {
namespace {

// Asked about in one read of the loop; the others at the next sweep.
constexpr int kUploadsPerSweep = 1000;

}  // namespace

void UploadSweep::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
  alarm_.Cancel();
}

void UploadSweep::Later() {
  const absl::Duration interval = desk_.options().sweep_interval;
  absl::MutexLock lock(&mu_);
  if (!stopped_) {
    alarm_.Set(absl::ToChronoTime(absl::Now() + interval), [this](bool expired) {
      if (expired) {
        Sweep();
        Later();
      }
    });
  }
}

void UploadSweep::Sweep() {
  desk_.Do(
      [this](UploadStore& store, absl::Time now) {
        std::vector<UploadName> expired = store.FindExpired(now, kUploadsPerSweep);
        if (expired.empty()) {
          store.RemoveLooseContents(now);
          return;
        }
        loop_.PostRead([this, expired = std::move(expired)](const ReadView& view) {
          std::vector<UploadName> needed;
          std::vector<UploadName> unused;
          for (const UploadName& name : expired) {
            const auto in_use = view.IsUploadInUse(name.tenant, name.sha256);
            (in_use.ok() && !*in_use ? unused : needed).push_back(name);
          }
          desk_.Do(
              [needed, unused](UploadStore& uploads, absl::Time then) {
                // A use that came meanwhile has made it young again: it is no longer expired.
                uploads.Remove(unused, then);
                for (const UploadName& name : needed) {
                  uploads.Use(name, then).IgnoreError();
                }
                uploads.RemoveLooseContents(then);
              },
              [] {});
        });
      },
      [] {});
}

}  // namespace berth
