#ifndef BERTH_AGENT_DEVICES_DCMI_LIBRARY_H_
#define BERTH_AGENT_DEVICES_DCMI_LIBRARY_H_

// The part of DCMI that is used here, declared again, since its header is on no build machine, and
// the loaded library. Names, layouts and values are those of Huawei's public "DCMI API Reference"
// for Atlas A2 and of dcmi_interface_api.h in its open repositories (Ascend/ascend-npu-exporter).

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace berth {

inline constexpr char kDcmiLibrary[] = "libdcmi.so";

inline constexpr int kDcmiOk = 0;
inline constexpr int kDcmiDeviceNotExist = -8008;
inline constexpr int kDcmiCardsMax = 64;
// dcmi_get_device_health: 0 well, 1 to 3 alarms by their weight.
inline constexpr unsigned int kDcmiHealthMinor = 1;
inline constexpr unsigned int kDcmiHealthMajor = 2;
inline constexpr unsigned int kDcmiHealthCritical = 3;
inline constexpr unsigned int kDcmiHealthGone = 0xffffffff;
// dcmi_get_device_utilization_rate: DCMI_UTILIZATION_RATE_AICORE, the column AICore(%) of npu-smi.
inline constexpr int kDcmiAiCore = 2;
// dcmi_get_device_info: DCMI_MAIN_CMD_VDEV_MNG and two of its commands.
inline constexpr int kDcmiVirtualDevices = 52;
inline constexpr unsigned int kDcmiOneVirtualDevice = 0;
inline constexpr unsigned int kDcmiAllVirtualDevices = 1;

// dcmi_chip_info.
struct DcmiChip {
  unsigned char type[32] = {};
  unsigned char name[32] = {};
  unsigned char version[32] = {};
  unsigned int cores = 0;
};

// dcmi_hbm_info.
struct DcmiHbm {
  unsigned long long size_mb = 0;
  unsigned int frequency = 0;
  unsigned long long usage_mb = 0;
  int temperature = 0;
  unsigned int bandwidth_percent = 0;
};

// dcmi_pcie_info_all.
struct DcmiPcie {
  unsigned int vendor = 0;
  unsigned int sub_vendor = 0;
  unsigned int device_id = 0;
  unsigned int sub_device = 0;
  int domain = 0;
  unsigned int bus = 0;
  unsigned int device = 0;
  unsigned int function = 0;
  unsigned char reserved[32] = {};
};
static_assert(sizeof(DcmiPcie) == 64);

// dcmi_base_resource, dcmi_computing_resource, dcmi_media_resource.
struct DcmiBaseResource {
  unsigned long long token = 0;
  unsigned long long token_max = 0;
  unsigned long long task_timeout = 0;
  unsigned int group = 0;
  unsigned char vip_mode = 0;
  unsigned char reserved[31] = {};
};
struct DcmiComputingResource {
  float cube_cores = 0;
  float vector_cores = 0;
  unsigned short counts[8] = {};
  unsigned long long memory_mb = 0;
  unsigned int ids[4] = {};
  unsigned short cpus[5] = {};
  unsigned char reserved[32] = {};
};
struct DcmiMediaResource {
  float shares[6] = {};
  unsigned char reserved[32] = {};
};

// dcmi_soc_total_resource.
struct DcmiVirtualDevices {
  unsigned int count = 0;
  unsigned int ids[32] = {};
  unsigned int group_count = 0;
  unsigned int groups = 0;
  DcmiBaseResource base;
  DcmiComputingResource computing;
  DcmiMediaResource media;
};

// dcmi_vdev_query_info, dcmi_vdev_query_stru.
struct DcmiVirtualInfo {
  char name[16] = {};  // of its template, "vir05_1c_16g"
  unsigned int status = 0;
  unsigned int is_in_container = 0;
  unsigned int function = 0;
  unsigned int group = 0;
  unsigned long long container = 0;
  DcmiBaseResource base;
  DcmiComputingResource computing;
  DcmiMediaResource media;
};
struct DcmiVirtualDevice {
  unsigned int id = 0;  // asked for
  DcmiVirtualInfo info;
};

// DCMI, loaded and initialized. One owner, one thread.
class DcmiLibrary {
 public:
  // NotFound: no such library. FailedPrecondition: another one. Unavailable: no driver behind it.
  static absl::StatusOr<std::unique_ptr<DcmiLibrary>> Load(const std::string& path);
  DcmiLibrary(const DcmiLibrary&) = delete;
  DcmiLibrary& operator=(const DcmiLibrary&) = delete;
  ~DcmiLibrary();

  // What went wrong in `call`.
  absl::Status Error(const char* call, int result) const;

  // Functions of DCMI by their names there, without "dcmi" and "device".
  int (*get_card_list)(int* count, int* cards, int length) = nullptr;
  int (*get_num_in_card)(int card, int* count) = nullptr;
  int (*get_chip_info)(int card, int device, DcmiChip* chip) = nullptr;
  int (*get_health)(int card, int device, unsigned int* health) = nullptr;
  int (*get_logic_id)(int* logic_id, int card, int device) = nullptr;
  int (*get_physical_id)(unsigned int logic_id, unsigned int* physical_id) = nullptr;

  // The same, and null where the driver is too old to have them.
  int (*get_hbm_info)(int card, int device, DcmiHbm* hbm) = nullptr;
  int (*get_utilization_rate)(int card, int device, int part, unsigned int* percent) = nullptr;
  int (*get_power_info)(int card, int device, int* deciwatts) = nullptr;
  int (*get_pcie_info)(int card, int device, DcmiPcie* pcie) = nullptr;
  int (*get_info)(int card, int device, int command, unsigned int sub_command, void* buffer,
                  unsigned int* size) = nullptr;

 private:
  DcmiLibrary(std::string path, void* handle) : path_(std::move(path)), handle_(handle) {}
  absl::Status FindFunctions();
  template <typename Function>
  bool Find(const char* name, Function& function);

  const std::string path_;
  void* const handle_;
  int (*init_)() = nullptr;
};

}  // namespace berth

#endif  // BERTH_AGENT_DEVICES_DCMI_LIBRARY_H_
