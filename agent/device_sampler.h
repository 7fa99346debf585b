#ifndef BERTH_AGENT_DEVICE_SAMPLER_H_
#define BERTH_AGENT_DEVICE_SAMPLER_H_

// Looks now and again at what the devices are busy with, and less often which there are, on a
// thread of its own: a driver that is slow to answer delays nothing else. Owned by the Agent.

#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

#include "agent/devices/device_finder.h"
#include "agent/devices/device_meter.h"

namespace berth {

struct DeviceReading {
  std::vector<v1::DeviceSample> samples;  // by index; none: nothing is known of any device
  absl::Duration at;                      // since boot, before the look
};

struct DeviceLooks {
  std::unique_ptr<DeviceMeter> meter;  // none: nobody tells what these devices are busy with
  absl::Duration pause;
  std::unique_ptr<DeviceFinder> finder = nullptr;  // none: there are never others
  absl::Duration search_pause = absl::InfiniteDuration();
};

class DeviceSampler {
 public:
  // Reads the meter at once, then with pauses; searches after the first pause.
  explicit DeviceSampler(DeviceLooks looks);
  DeviceSampler(const DeviceSampler&) = delete;
  DeviceSampler& operator=(const DeviceSampler&) = delete;
  // Waits for a look that is under way.
  ~DeviceSampler();

  // The last look, once; none: there was no other since the last call. From any thread.
  std::optional<DeviceReading> TakeNew() ABSL_LOCKS_EXCLUDED(mu_);
  // What there is now, once, if it is other than before. From any thread.
  std::optional<FoundDevices> TakeFound() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void Read() ABSL_LOCKS_EXCLUDED(mu_);
  void Search() ABSL_LOCKS_EXCLUDED(mu_);

  DeviceLooks looks_;  // the sampler's thread only
  absl::Mutex mu_;
  std::optional<DeviceReading> last_ ABSL_GUARDED_BY(mu_);
  std::optional<FoundDevices> found_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICE_SAMPLER_H_
