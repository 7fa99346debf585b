#include "agent/devices/device_health.h"

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "agent/devices/health_policy.h"
#include "common/log.h"

namespace berth {
namespace {

struct HealthWord {
  v1::DeviceHealth health;
  const char* word;
};
constexpr HealthWord kWords[] = {
    {v1::DEVICE_HEALTH_OK,          "ok"        },
    {v1::DEVICE_HEALTH_SUSPECT,     "suspect"   },
    {v1::DEVICE_HEALTH_QUARANTINED, "quarantine"},
};

const char* WordOf(v1::DeviceHealth health) {
  for (const HealthWord& row : kWords) {
    if (row.health == health) {
      return row.word;
    }
  }
  return kWords[0].word;
}

}  // namespace

absl::Status DeviceHealth::Load() {
  std::ifstream file(path_);
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits('\t', 2));
    bool known = false;
    for (const HealthWord& row : kWords) {
      if (parts.size() == 3 && parts[1] == row.word) {
        verdicts_[parts[0]] = {row.health, parts[2]};
        known = true;
      }
    }
    if (!known) {
      return absl::DataLossError(
          absl::StrCat(path_, " has a line that is no verdict: ", line, "; correct or remove it"));
    }
  }
  return absl::OkStatus();
}

void DeviceHealth::Mark(std::vector<v1::Device>& devices) const {
  for (v1::Device& device : devices) {
    const auto verdict = verdicts_.find(device.uuid());
    if (verdict != verdicts_.end()) {
      device.set_health(verdict->second.health);
      device.set_health_detail(verdict->second.detail);
    } else if (cleared_.contains(device.uuid())) {
      device.set_health(v1::DEVICE_HEALTH_OK);
      device.clear_health_detail();
    }
  }
}

absl::Status DeviceHealth::Apply(const std::vector<DeviceEvent>& events,
                                 const std::vector<v1::Device>& devices, Outcome& outcome) {
  for (const DeviceEvent& event : events) {
    for (const v1::Device& device : devices) {
      if (device.index() != event.index) {
        continue;
      }
      const HealthVerdict verdict = JudgeEvent(event);
      LogWarning("device event", {
                                     {"device",  device.index()        },
                                     {"uuid",    device.uuid()         },
                                     {"event",   verdict.meaning       },
                                     {"verdict", WordOf(verdict.health)}
      });
      if (event.kind == DeviceEventKind::kCleared) {
        cleared_.insert(device.uuid());
        outcome.changed = verdicts_.erase(device.uuid()) > 0 || outcome.changed;
        continue;
      }
      if (verdict.ends_task) {
        outcome.failed.emplace_back(device.index(), verdict.meaning);
      }
      Verdict& known = verdicts_[device.uuid()];
      if (verdict.health > known.health) {
        known = {verdict.health, verdict.meaning};
        outcome.changed = true;
      }
      if (known.health == v1::DEVICE_HEALTH_OK) {
        verdicts_.erase(device.uuid());
      }
    }
  }
  return outcome.changed ? Save() : absl::OkStatus();
}

absl::Status DeviceHealth::Save() const {
  const std::string temporary = path_ + ".new";
  {
    std::ofstream file(temporary, std::ios::trunc);
    for (const auto& [uuid, verdict] : verdicts_) {
      file << uuid << '\t' << WordOf(verdict.health) << '\t' << verdict.detail << '\n';
    }
    if (!file.flush()) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", temporary));
    }
  }
  return std::rename(temporary.c_str(), path_.c_str()) == 0
             ? absl::OkStatus()
             : absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
}

}  // namespace berth
