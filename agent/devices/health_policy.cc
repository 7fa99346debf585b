#include "agent/devices/health_policy.h"

#include "absl/strings/str_cat.h"

namespace berth {
namespace {

constexpr v1::DeviceHealth kOk = v1::DEVICE_HEALTH_OK;
constexpr v1::DeviceHealth kSuspect = v1::DEVICE_HEALTH_SUSPECT;
constexpr v1::DeviceHealth kQuarantine = v1::DEVICE_HEALTH_QUARANTINED;

// Corrected errors are the hardware's daily work; so many between two looks are not.
constexpr int64_t kCorrectedEccUsual = 100;

struct XidRow {
  int64_t xid;
  v1::DeviceHealth health;
  bool ends_task;
  const char* meaning;
};
constexpr XidRow kXids[] = {
    {8,   kOk,         false, "a program's kernel was stopped after its time"      },
    {13,  kOk,         false, "a program's error in a kernel"                      },
    {31,  kOk,         false, "a program reached for memory that is not its own"   },
    {43,  kOk,         false, "a program's channel was reset"                      },
    {45,  kOk,         false, "channels were removed after a program's end"        },
    {48,  kQuarantine, true,  "a double-bit memory error"                          },
    {61,  kQuarantine, true,  "an internal micro-controller's breakpoint"          },
    {62,  kQuarantine, true,  "an internal micro-controller has halted"            },
    {63,  kSuspect,    false, "a memory row is remapped at the next reset"         },
    {64,  kQuarantine, true,  "a memory row cannot be remapped"                    },
    {69,  kOk,         false, "a program's error in a graphics engine class"       },
    {74,  kQuarantine, true,  "an NVLink error"                                    },
    {79,  kQuarantine, true,  "the device has fallen off the bus"                  },
    {92,  kSuspect,    false, "many single-bit memory errors"                      },
    {94,  kSuspect,    true,  "a contained memory error: one program lost its data"},
    {95,  kQuarantine, true,  "an uncontained memory error"                        },
    {109, kOk,         false, "a context switch took too long"                     },
    {119, kQuarantine, true,  "the device's system processor does not answer"      },
    {120, kQuarantine, true,  "an error of the device's system processor"          },
    {140, kQuarantine, true,  "an unrecovered memory error"                        },
};

HealthVerdict JudgeXid(int64_t xid) {
  for (const XidRow& row : kXids) {
    if (row.xid == xid) {
      return {row.health, row.ends_task, absl::StrCat("Xid ", xid, ": ", row.meaning)};
    }
  }
  return {kSuspect, false, absl::StrCat("Xid ", xid, ": an error that is not known here")};
}

// A minor alarm is a warning, a critical one ends what runs.
HealthVerdict JudgeAlarm(int64_t weight) {
  return {weight <= 1 ? kSuspect : kQuarantine, weight >= 3,
          absl::StrCat("the driver tells an alarm of weight ", weight, " of 3")};
}

}  // namespace

HealthVerdict JudgeEvent(const DeviceEvent& event) {
  switch (event.kind) {
    case DeviceEventKind::kXid:
      return JudgeXid(event.code);
    case DeviceEventKind::kUncorrectedEcc:
      return {kQuarantine, true, "uncorrected memory errors"};
    case DeviceEventKind::kCorrectedEcc:
      return {event.code > kCorrectedEccUsual ? kSuspect : kOk, false,
              absl::StrCat(event.code, " corrected memory errors at once")};
    case DeviceEventKind::kLostLink:
      return {kQuarantine, true, "a link to another device is down"};
    case DeviceEventKind::kLostDevice:
      return {kQuarantine, true, "the device does not answer"};
    case DeviceEventKind::kAlarm:
      return JudgeAlarm(event.code);
    case DeviceEventKind::kStuckTask:
      return {kQuarantine, false, "a task that was killed still holds the device"};
    case DeviceEventKind::kCleared:
      return {kOk, false, "cleared"};
  }
  return {};
}

}  // namespace berth
