# SPDX-License-Identifier: BSD-2-Clause
# Vector registers over context switches (vectors.S), beside processes that come and go.

i=0
while [ $i -lt 20 ]; do
	dmesg | grep -c Hypervisor
	i=$((i + 1))
done >/tmp/counts &
/bin/vectors
wait
echo "pipelines: $(sort /tmp/counts | uniq -c)"
