t0=$(cut -d' ' -f1 /proc/uptime)
i=0; while [ $i -lt 30 ]; do ip link add v$i type veth peer name w$i; ip link set v$i up; ip link del v$i; i=$((i+1)); done
t1=$(cut -d' ' -f1 /proc/uptime)
python3 -c "import json,socket,subprocess,random,select"
t2=$(cut -d' ' -f1 /proc/uptime)
echo boot $t0, links $t1, python $t2
